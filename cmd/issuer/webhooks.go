package main

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/xrplissuer/credential-issuer/cmd/internal/config"
	"github.com/xrplissuer/credential-issuer/issuer"
	"github.com/xrplissuer/credential-issuer/issuer/webhook"
)

// webhookSettings are where events go.
type webhookSettings struct {
	endpoints []webhook.Endpoint // all of them
	fixed     []webhook.Endpoint // those of WEBHOOK_URLS, which stay as they are
	file      string             // has the others; empty for none
	private   bool
}

// readWebhooks reads where events go.
func readWebhooks(v *config.Values) webhookSettings {
	s := webhookSettings{file: v.String("WEBHOOKS_FILE"), private: v.OneOf("WEBHOOK_ALLOW_PRIVATE", "true", "false") == "true"}
	s.fixed = readFixedWebhooks(v, s.private)
	var faults []string
	if s.endpoints, faults = s.read(); len(faults) > 0 {
		for _, fault := range faults {
			v.Wrong("WEBHOOKS_FILE: " + fault)
		}
	}
	return s
}

// read returns all webhooks, or what is wrong with the file.
func (s webhookSettings) read() (all []webhook.Endpoint, faults []string) {
	if s.file == "" {
		return s.fixed, nil
	}
	text, err := config.PrivateFile(s.file, webhook.MaxFileBytes)
	if err != nil {
		return nil, []string{err.Error()}
	}
	more, err := webhook.ParseFile([]byte(text), s.private)
	var wrong webhook.Faults
	if errors.As(err, &wrong) {
		return nil, wrong
	}
	all = slices.Clone(s.fixed)
	for _, e := range more {
		if slices.ContainsFunc(s.fixed, e.Same) {
			return nil, []string{"must not have a webhook that WEBHOOK_URLS has too, which " + fmt.Sprint(e) + " is"}
		}
		all = append(all, e)
	}
	if len(all) > webhook.MaxEndpoints {
		return nil, []string{fmt.Sprintf("must not have more than %d webhooks, those of WEBHOOK_URLS included", webhook.MaxEndpoints)}
	}
	return all, nil
}

// reload reads the file again. Where something is wrong with it, that is in the log, and the webhooks before stay.
func (s webhookSettings) reload(log *slog.Logger, sender *webhook.Sender) {
	if s.file == "" {
		return
	}
	all, faults := s.read()
	if len(faults) == 0 {
		if err := sender.SetEndpoints(all); err != nil {
			faults = []string{err.Error()}
		}
	}
	if len(faults) > 0 {
		log.Error("the webhooks were not read again; those before stay", "error", "WEBHOOKS_FILE: "+strings.Join(faults, "\n"))
		return
	}
	log.Info("read the webhooks again", "webhooks", len(all))
}

// readFixedWebhooks reads those that share secrets, and are told of all events.
func readFixedWebhooks(v *config.Values, private bool) []webhook.Endpoint {
	var addresses []string
	for _, text := range strings.Split(v.String("WEBHOOK_URLS"), ",") {
		if text = strings.TrimSpace(text); text != "" {
			addresses = append(addresses, text)
		}
	}
	secrets, err := webhook.ParseSecrets(v.String("WEBHOOK_SECRET"))
	if len(addresses) == 0 {
		if err != nil && v.String("WEBHOOK_SECRET") != "" {
			v.Fault("WEBHOOK_SECRET", err.Error())
		}
		return nil
	}
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
			out = append(out, issuer.WebhookStatus{ID: e.ID, Address: e.Address, Kinds: e.Kinds, Delivered: e.Delivered, Failed: e.Failed, Failure: e.Failure})
		}
		return out
	}
}
