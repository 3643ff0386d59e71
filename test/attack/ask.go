package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

// ask makes a request that a person decides on, as it is meant to be done, and returns its id and the secret of its link.
func (r *round) ask(ctx context.Context, who wallet, documents string) (id, secret string, err error) {
	request := map[string]any{"subject": who.address, "credential": "Accredited", "documents": json.RawMessage(documents)}
	c, err := r.challengeFor(ctx, r.client, text(request))
	if err != nil {
		return "", "", err
	}
	request["proof"] = proof(c, who.public, who.sign(c.Message))
	body := text(request)
	a, err := r.send(ctx, http.MethodPost, "/credential", body)
	if err != nil {
		return "", "", err
	}
	var waiting struct{ ID, Link string }
	if err := json.Unmarshal(a.body, &waiting); err != nil || a.status != http.StatusAccepted {
		return "", "", fmt.Errorf("POST /credential: %s", a)
	}
	link, err := url.Parse(waiting.Link)
	if err != nil {
		return "", "", err
	}
	r.grant(0, 1)
	secret = link.Query().Get("secret")
	r.w.keep("the secret of a request's link", secret, true)
	return waiting.ID, secret, nil
}
