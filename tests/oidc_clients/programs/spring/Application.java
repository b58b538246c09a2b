package org.example;

import com.nimbusds.jose.jwk.JWK;
import java.text.ParseException;
import java.util.Map;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.security.config.Customizer;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.oauth2.client.endpoint.NimbusJwtClientAuthenticationParametersConverter;
import org.springframework.security.oauth2.client.endpoint.OAuth2AccessTokenResponseClient;
import org.springframework.security.oauth2.client.endpoint.OAuth2AuthorizationCodeGrantRequest;
import org.springframework.security.oauth2.client.endpoint.RestClientAuthorizationCodeTokenResponseClient;
import org.springframework.security.oauth2.client.oidc.web.logout.OidcClientInitiatedLogoutSuccessHandler;
import org.springframework.security.oauth2.client.registration.ClientRegistration;
import org.springframework.security.oauth2.client.registration.ClientRegistrationRepository;
import org.springframework.security.oauth2.client.oidc.authentication.OidcIdTokenDecoderFactory;
import org.springframework.security.oauth2.client.web.DefaultOAuth2AuthorizationRequestResolver;
import org.springframework.security.oauth2.client.web.OAuth2AuthorizationRequestCustomizers;
import org.springframework.security.oauth2.core.oidc.user.OidcUser;
import org.springframework.security.oauth2.jose.jws.SignatureAlgorithm;
import org.springframework.security.oauth2.jwt.JwtDecoderFactory;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.security.web.util.matcher.AntPathRequestMatcher;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/** Spring Security as its guide has it: {@code /} shows who is signed in. */
@SpringBootApplication
@RestController
public class Application {
    public static void main(String[] arguments) {
        SpringApplication.run(Application.class, arguments);
    }

    @GetMapping("/")
    Map<String, Object> index(@AuthenticationPrincipal OidcUser user) {
        return Map.of("text", "signed in: " + user.getEmail(), "algorithm", user.getIdToken().getClaims().get("acr"));
    }

    @GetMapping("/bye")
    String bye() {
        return "signed out";
    }

    /** Only where it differs from Spring's default, RS256, does an application say the algorithm. */
    @Bean
    JwtDecoderFactory<ClientRegistration> idTokenDecoderFactory() {
        var factory = new OidcIdTokenDecoderFactory();
        if (System.getenv("ALGORITHM") != null) {
            factory.setJwsAlgorithmResolver(registration -> SignatureAlgorithm.from(System.getenv("ALGORITHM")));
        }
        return factory;
    }

    /** Signs its requests for tokens with its key, where it has one: private_key_jwt. */
    @Bean
    OAuth2AccessTokenResponseClient<OAuth2AuthorizationCodeGrantRequest> tokens() throws ParseException {
        var tokens = new RestClientAuthorizationCodeTokenResponseClient();
        if (System.getenv("PRIVATE_KEY") != null) {
            var key = JWK.parse(System.getenv("PRIVATE_KEY"));
            tokens.addParametersConverter(new NimbusJwtClientAuthenticationParametersConverter<>(registration -> key));
        }
        return tokens;
    }

    /** Spring sends a code challenge only for public clients, unless it is told so. */
    private static DefaultOAuth2AuthorizationRequestResolver requests(ClientRegistrationRepository clients) {
        var requests = new DefaultOAuth2AuthorizationRequestResolver(clients, "/oauth2/authorization");
        if (Boolean.parseBoolean(System.getenv("PKCE"))) {
            requests.setAuthorizationRequestCustomizer(OAuth2AuthorizationRequestCustomizers.withPkce());
        }
        return requests;
    }

    @Bean
    SecurityFilterChain security(HttpSecurity http, ClientRegistrationRepository clients) throws Exception {
        var logout = new OidcClientInitiatedLogoutSuccessHandler(clients);
        logout.setPostLogoutRedirectUri("{baseUrl}/bye");
        return http
            .authorizeHttpRequests(requests -> requests.requestMatchers("/bye").permitAll().anyRequest().authenticated())
            .oauth2Login(login -> login
                .authorizationEndpoint(endpoint -> endpoint.authorizationRequestResolver(requests(clients))))
            .oidcLogout(end -> end.backChannel(Customizer.withDefaults()))
            .logout(end -> end
                .logoutRequestMatcher(new AntPathRequestMatcher("/logout", "GET"))
                .logoutSuccessHandler(logout))
            .build();
    }
}
