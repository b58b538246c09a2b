// An account's first minutes with the generated Go clients; prints what it learned as JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"os"

	"tessera.example/story/auth"
	"tessera.example/story/notification"
	"tessera.example/story/users"
)

var ctx = context.Background()

// The status, and the code and codes by field of the problem document.
func refused(err error) []any {
	var ofUsers *users.GenericOpenAPIError
	if errors.As(err, &ofUsers) {
		problem := ofUsers.Model().(users.Problem)
		return []any{problem.Status, problem.Code, problem.ErrorCodes}
	}
	var ofAuth *auth.GenericOpenAPIError
	if errors.As(err, &ofAuth) {
		problem := ofAuth.Model().(auth.Problem)
		return []any{problem.Status, problem.Code, problem.ErrorCodes}
	}
	log.Fatalf("the request was not refused: %v", err)
	return nil
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func signUp(email string) (*users.UserOutput, error) {
	body := *users.NewUserInputRequest("Ada", "Lovelace", email, os.Getenv("PASSWORD"))
	user, _, err := ofUsers().UsersAPI.CreateUser(ctx).UserInputRequest(body).Execute()
	return user, err
}

func logIn(password string) (*auth.LoginAnswer, error) {
	body := *auth.NewLoginInputRequest(os.Getenv("EMAIL"), password)
	answer, _, err := ofAuth().SignInAPI.Login(ctx).LoginInputRequest(body).Execute()
	return answer, err
}

func ofUsers() *users.APIClient {
	settings := users.NewConfiguration()
	settings.Servers = users.ServerConfigurations{{URL: os.Getenv("USERS_URL")}}
	return users.NewAPIClient(settings)
}

func ofAuth() *auth.APIClient {
	settings := auth.NewConfiguration()
	settings.Servers = auth.ServerConfigurations{{URL: os.Getenv("AUTH_URL")}}
	return auth.NewAPIClient(settings)
}

func main() {
	signedUp := must(signUp(os.Getenv("NEW_EMAIL")))
	_, taken := signUp(os.Getenv("NEW_EMAIL"))
	_, invalid := signUp("nobody")
	_, wrongPassword := logIn("a wrong password")
	tokens := must(logIn(os.Getenv("PASSWORD"))).TokenOutput
	if tokens == nil {
		log.Fatal("a second factor is required")
	}
	asUser := context.WithValue(ctx, users.ContextAccessToken, tokens.AccessToken)
	profile, _, err := ofUsers().UsersAPI.GetCurrentUser(asUser).Execute()
	must(profile, err)
	_, _, forbidden := ofUsers().UsersAPI.ListUsers(asUser).Execute()

	asUser = context.WithValue(ctx, auth.ContextAccessToken, tokens.AccessToken)
	sessions, _, err := ofAuth().SessionsAPI.ListSessions(asUser).Limit(1).Execute()
	must(sessions, err)
	current := []bool{}
	for _, session := range sessions.Results {
		current = append(current, session.Current)
	}

	settings := notification.NewConfiguration()
	settings.Servers = notification.ServerConfigurations{{URL: os.Getenv("NOTIFICATION_URL")}}
	asUser = context.WithValue(ctx, notification.ContextAccessToken, tokens.AccessToken)
	list := notification.NewAPIClient(settings).NotificationsAPI.ListNotifications(asUser)
	rows, _, err := list.Event("email_verification_requested_event").Medium("email").Execute()
	must(rows, err)
	notified := []string{}
	for _, row := range rows.Results {
		notified = append(notified, string(row.Event))
	}

	fields := must(profile.ToMap())
	fields["id"], fields["added_later"] = int64(1)<<40, 1
	var later users.UserOutput
	if err := json.Unmarshal(must(json.Marshal(fields)), &later); err != nil {
		log.Fatal(err)
	}

	json.NewEncoder(os.Stdout).Encode(map[string]any{
		"signed_up":      signedUp.Email,
		"taken":          refused(taken),
		"invalid":        refused(invalid),
		"wrong_password": refused(wrongPassword),
		"profile":        []any{profile.Email, profile.EmailVerified},
		"sessions":       []any{current, sessions.Next.Get()},
		"notified":       notified,
		"forbidden":      refused(forbidden),
		"later":          later.Id,
	})
}
