package main

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"hash/crc32"
	"net/http"
	"strings"
	"time"

	"github.com/xrplissuer/credential-issuer/test/internal/programs"
)

var tokens = []attack{
	{name: "tokens guessed, bent and misplaced", on: onPlain, run: wrongTokens},
}

var tokenAlphabet = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// guess makes a token of the right form: of an id, or of any where that is empty, and a secret that nobody was given.
func guess(id string) string {
	b := make([]byte, 36)
	_, _ = rand.Read(b)
	if id == "" {
		id = tokenAlphabet.EncodeToString(b[:10])
	}
	sum := crc32.ChecksumIEEE(append([]byte("xci_"+id+"_"), b[10:]...))
	return "xci_" + id + "_" + tokenAlphabet.EncodeToString(append(b[10:], byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum)))
}

func wrongTokens(ctx context.Context, r *round) error {
	admin := r.tokens["admin"]
	id := strings.Split(admin, "_")[1]
	revoked, said, err := r.command(ctx, "token", "create", "--name", "revoked", "--role", "admin")
	if err != nil {
		return fmt.Errorf("issuer token create: %w %s", err, said)
	}
	expired, said, err := r.command(ctx, "token", "create", "--name", "expired", "--role", "admin", "--expires", "1s")
	if err != nil {
		return fmt.Errorf("issuer token create: %w %s", err, said)
	}
	revoked, expired = strings.TrimSpace(revoked), strings.TrimSpace(expired)
	r.w.keep("a revoked token", revoked[21:], false)
	r.w.keep("an expired token", expired[21:], false)
	a, err := r.send(ctx, http.MethodGet, "/admin/status", "", bearer(revoked))
	r.expect("before it is revoked", a, err, http.StatusOK)
	if _, said, err := r.command(ctx, "token", "revoke", "revoked"); err != nil {
		return fmt.Errorf("issuer token revoke: %w %s", err, said)
	}
	made := time.Now()
	wrong := map[string][]header{
		"none":                 nil,
		"empty":                {{"Authorization", ""}},
		"a scheme alone":       {{"Authorization", "Bearer"}},
		"a scheme and a space": {{"Authorization", "Bearer "}},
		"no scheme":            {{"Authorization", admin}},
		"Basic":                {{"Authorization", "Basic " + admin}},
		"Token":                {{"Authorization", "Token " + admin}},
		"BearerBearer":         {{"Authorization", "Bearer Bearer " + admin}},
		"a tab":                {{"Authorization", "Bearer\t" + admin}},
		"a comma":              {{"Authorization", "Bearer " + admin + ", Bearer " + admin}},
		"a tail":               {bearer(admin + "a")},
		"padded":               {bearer(admin + "=")},
		"a tail after a space": {bearer(admin + " x")},
		"in capitals":          {bearer(strings.ToUpper(admin))},
		"its id in capitals":   {bearer("xci_" + strings.ToUpper(id) + admin[20:])},
		"quoted":               {bearer(`"` + admin + `"`)},
		"twice":                {bearer(admin), bearer(admin)},
		"twice, one wrong":     {bearer(guess("")), bearer(admin)},
		"the other header":     {{"X-Authorization", "Bearer " + admin}},
		"Proxy-Authorization":  {{"Proxy-Authorization", "Bearer " + admin}},
		"a cookie":             {{"Cookie", "Authorization=Bearer " + admin + "; token=" + admin}},
		"as another user":      {{"X-Remote-User", "admin"}, {"X-Forwarded-User", "admin"}, {"X-Role", "admin"}},
		"cut":                  {bearer(admin[:len(admin)-1])},
		"the id alone":         {bearer(admin[:20])},
		"the id and _":         {bearer(admin[:21])},
		"another's secret":     {bearer(admin[:21] + strings.Split(r.tokens["reader"], "_")[2])},
		"bent":                 {bearer(admin[:30] + map[bool]string{true: "b", false: "a"}[admin[30] == 'a'] + admin[31:])},
		"a NUL for an end":     {bearer(admin[:68] + "%00")},
		"SQL":                  {bearer("xci_' OR '1'='1_" + admin[21:])},
		"a wildcard":           {bearer("xci_%%%%%%%%%%%%%%%%_" + admin[21:])},
		"9 KB":                 {bearer("xci_" + strings.Repeat("a", 9000))},
		"revoked":              {bearer(revoked)},
		"the document key":     {bearer("xci_aaaaaaaaaaaaaaaa_" + strings.Repeat("a", 48))},
	}
	for name, headers := range wrong {
		for _, call := range [][2]string{{http.MethodGet, "/admin/status"}, {http.MethodGet, "/metrics"}, {http.MethodDelete, "/admin/credential"}} {
			r.refuse(ctx, name, []int{http.StatusUnauthorized}, call[0], call[1], "", headers...)
		}
	}
	for _, path := range []string{"/admin/status?access_token=" + admin, "/admin/status?token=" + admin, "/admin/status?Authorization=Bearer%20" + admin} {
		r.refuse(ctx, "in the address", []int{http.StatusUnauthorized, http.StatusNotFound}, http.MethodGet, path, "")
	}
	// Its body may hold it too: RFC 6750 (2.2).
	r.refuse(ctx, "in the body", []int{http.StatusUnauthorized}, http.MethodPost, "/admin/credential/batch", "access_token="+admin, header{"Content-Type", "application/x-www-form-urlencoded"})
	atOnce(16, r.many(1500), func(i int) {
		which := []string{"", id}[i%2]
		a, err := r.send(ctx, http.MethodGet, "/admin/status", "", bearer(guess(which)))
		r.expect("guessed", a, err, http.StatusUnauthorized)
	})
	// What a role may not do.
	for role, calls := range map[string][][2]string{
		"reader":   {{http.MethodDelete, "/admin/credential"}, {http.MethodPost, "/admin/credential/batch"}, {http.MethodGet, "/admin/audit"}, {http.MethodPost, "/admin/request/00000000000000000000000000/approve"}},
		"reviewer": {{http.MethodDelete, "/admin/credential"}, {http.MethodPost, "/admin/credential/batch"}, {http.MethodGet, "/admin/audit"}},
	} {
		for _, call := range calls {
			r.refuse(ctx, "a "+role, []int{http.StatusForbidden}, call[0], call[1], `{}`, bearer(r.tokens[role]))
			r.refuse(ctx, "a "+role+" that says it is more", []int{http.StatusForbidden}, call[0], call[1], `{"role":"admin"}`, bearer(r.tokens[role]),
				header{"X-Role", "admin"}, header{"X-HTTP-Method-Override", "GET"})
		}
	}
	programs.Sleep(ctx, time.Until(made.Add(1100*time.Millisecond))) // until the other one has expired
	r.refuse(ctx, "expired", []int{http.StatusUnauthorized}, http.MethodGet, "/admin/status", "", bearer(expired))
	a, err = r.send(ctx, http.MethodGet, "/admin/status", "", bearer(admin))
	r.expect("the right one", a, err, http.StatusOK)
	return nil
}
