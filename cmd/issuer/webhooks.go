package main

import (
	"strings"

	"github.com/xrplissuer/credential-issuer/cmd/internal/config"
	"github.com/xrplissuer/credential-issuer/issuer"
	"github.com/xrplissuer/credential-issuer/issuer/webhook"
)

// readWebhooks reads where events go.
func readWebhooks(v *config.Values) []webhook.Endpoint {
	private := v.OneOf("WEBHOOK_ALLOW_PRIVATE", "true", "false") == "true"
	var addresses []string
	for _, text := range strings.Split(v.String("WEBHOOK_URLS"), ",") {
		if text = strings.TrimSpace(text); text != "" {
			addresses = append(addresses, text)
		}
	}
	if len(addresses) == 0 {
		return nil
	}
	secrets, err := webhook.ParseSecrets(v.String("WEBHOOK_SECRET"))
	switch {
	case v.String("WEBHOOK_SECRET") == "":
		v.Fault("WEBHOOK_SECRET", "must be set beside WEBHOOK_URLS: whoever receives events has to know that they are from here")
	case err != nil:
		v.Fault("WEBHOOK_SECRET", err.Error())
	}
	if len(secrets) == 0 {
		secrets = []webhook.Secret{webhook.NewSecret()} // the addresses are looked at all the same, so that all faults are told
	}
	var endpoints []webhook.Endpoint
	seen := map[string]bool{}
	for _, address := range addresses {
		e, err := webhook.NewEndpoint("", address, private, secrets...)
		switch {
		case err != nil: // it repeats nothing of the address, which may hold a secret
			v.Fault("WEBHOOK_URLS", "each address "+err.Error())
		case seen[e.ID()]:
			v.Fault("WEBHOOK_URLS", "must not have an address twice")
		default:
			seen[e.ID()] = true
			endpoints = append(endpoints, e)
		}
	}
	return endpoints
}

// webhookStatus is what a sender knows of its webhooks.
func webhookStatus(s *webhook.Sender) func() []issuer.WebhookStatus {
	return func() []issuer.WebhookStatus {
		var out []issuer.WebhookStatus
		for _, e := range s.Status() {
			out = append(out, issuer.WebhookStatus{ID: e.ID, Address: e.Address, Delivered: e.Delivered, Failed: e.Failed, Failure: e.Failure})
		}
		return out
	}
}
