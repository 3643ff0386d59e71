package config

import (
	"slices"
	"strings"
	"testing"
)

func TestAsks(t *testing.T) {
	for _, tc := range []struct {
		args    string
		version bool
		rest    string
	}{
		{"", false, ""}, {"version", true, ""}, {"--version", true, ""}, {"help", false, "--help"}, {"help batch", false, "batch --help"},
		{"batch help", false, "batch help"}, {"--http-listen x", false, "--http-listen x"},
	} {
		args := strings.Fields(tc.args)
		version, rest := Asks(args)
		if version != tc.version || strings.Join(rest, " ") != tc.rest || !slices.Equal(args, strings.Fields(tc.args)) {
			t.Errorf("%q: %t, %q", tc.args, version, rest)
		}
	}
}

func TestNoCommand(t *testing.T) {
	commands := []string{"verify", "batch", "token"}
	for words, want := range map[string]string{
		"verfy":   "is verify meant? There are batch, token, verify",
		"tokens":  "is token meant?",
		"x token": "token must be the first word: issuer token",
		secret:    "there are batch, token, verify, and all else is said with flags",
	} {
		got := NoCommand("issuer", strings.Fields(words), commands)
		if !strings.Contains(got, want) || strings.Contains(got, secret) || words == "verfy" && strings.Contains(got, "verfy") {
			t.Errorf("%s: %s", words, got)
		}
	}
}
