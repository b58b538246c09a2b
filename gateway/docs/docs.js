// One Swagger UI for the three services; the list at the top right selects one.
SwaggerUIBundle({
  dom_id: "#swagger-ui",
  urls: ["users-ms", "auth-ms", "notification-ms"].map((name) => ({ name, url: `/${name}/openapi.json` })),
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
  layout: "StandaloneLayout",
  deepLinking: true,
  persistAuthorization: false,
  validatorUrl: null,
});
