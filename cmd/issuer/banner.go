package main

import (
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/xrplissuer/credential-issuer/cmd/internal/config"
	"github.com/xrplissuer/credential-issuer/model"
)

// banner is what the terminal shows once requests are served.
type banner struct {
	scheme string // http or https
	// open says that nobody is asked who they are.
	open          bool
	network       config.Network
	issuer        model.Address
	http          net.Addr
	sandboxListen string // as the accept command needs it; empty where its default holds
	closeInterval time.Duration
	dataDir       string
	// On the sandbox alone: an account to try things with, and its seed.
	subject *wallet
	// types are those that have a policy; none where there are no policies.
	types []model.CredentialType
	// credential is a type that the subject does not hold yet, so that what is printed works when it is pasted.
	credential model.CredentialType
}

func (b banner) String() string {
	var s strings.Builder
	url := b.scheme + "://" + config.Dialable(b.http.String())
	network := b.network.Name
	switch {
	case b.subject != nil && b.closeInterval == 0:
		network += fmt.Sprintf(" (embedded ledger, closes on ledger_accept; %s)", b.network.Node)
	case b.subject != nil:
		network += fmt.Sprintf(" (embedded ledger, closes every %v; %s)", b.closeInterval, b.network.Node)
	case config.Networks[network] != "":
		network += fmt.Sprintf(" (%s)", b.network.Node)
	}
	fmt.Fprintf(&s, "\nCredential issuer\n\n  Network  %s\n  Issuer   %s\n  HTTP     %s\n", network, b.issuer, url)
	subject := "SUBJECT"
	if b.subject != nil {
		subject = b.subject.address.String()
		fmt.Fprintf(&s, "  Subject  %s\n  Seed     %s  (of the subject: an account of the sandbox to try things with)\n",
			subject, b.subject.secret)
	}
	if b.open {
		s.WriteString("  Access   open: on the sandbox, programs of this machine need no token until one is made (issuer token create)\n")
	} else {
		s.WriteString("  Access   /admin needs a token: Authorization: Bearer TOKEN (issuer token create makes one)\n")
	}
	token := ""
	if !b.open {
		token = `-H "Authorization: Bearer TOKEN" `
	}
	const post = `curl %s-H "Content-Type: application/json" -X %s -d '{"subject": "%s", "credential": "%s"%s}' %s` + "\n"
	fmt.Fprintf(&s, "\nTo try it, in a second terminal")
	if b.subject == nil {
		s.WriteString(", with the address of an account of this network in SUBJECT's place")
	} else {
		s.WriteString(" in the same folder")
	}
	s.WriteString(":\n\n1. Request a credential")
	if len(b.types) > 0 {
		b.credential = b.types[0]
		fmt.Fprintf(&s, " (%s), with documents as its policy wants them\n\n%s\n", b.offered(), b.command("prove --credential "+b.credential.Text()+" --documents FILE", url))
	} else {
		s.WriteString("\n\n")
		fmt.Fprintf(&s, post, "", "POST", subject, b.credential, `, "documents": {"reason": "please"}`, url+"/credential")
	}
	fmt.Fprintf(&s, "\n2. List what was issued\n\ncurl %s%s/admin/credential\n", token, url)
	s.WriteString("\n3. Accept it, as its subject\n\n" + b.accept() + "\n")
	s.WriteString("\n4. Revoke it\n\n")
	fmt.Fprintf(&s, post, token, "DELETE", subject, b.credential, "", url+"/admin/credential")
	s.WriteString("\nCtrl-C stops the service.")
	if b.subject != nil {
		fmt.Fprintf(&s, " What was issued is kept in %s.", b.dataDir)
	}
	s.WriteString("\n\n")
	return s.String()
}

// mostOffered bounds the types that the banner names.
const mostOffered = 5

// offered names the types that have a policy.
func (b banner) offered() string {
	var names []string
	for i, t := range b.types {
		if i == mostOffered {
			names = append(names, fmt.Sprintf("and %d more", len(b.types)-i))
			break
		}
		names = append(names, t.Text())
	}
	return strings.Join(names, ", ")
}

// accept is the command that accepts, with the settings that it needs to find the same ledger.
func (b banner) accept() string {
	if b.subject == nil {
		rest := ""
		if b.network.Node.Keyed() && b.network.Name == b.network.Node.String() {
			rest = "/..." // the user knows the key
		}
		return fmt.Sprintf("XRPL_NETWORK='%s%s' go run ./cmd/accept", b.network.Name, rest)
	}
	sandbox := ""
	if b.sandboxListen != "" {
		sandbox = "SANDBOX_LISTEN=" + b.sandboxListen + " "
	}
	return b.seed() + sandbox + "go run ./cmd/accept"
}

// command is one of the accept command's that asks the service.
func (b banner) command(words, url string) string {
	at := ""
	if url != "http://"+defaultListen {
		at = "ISSUER_URL=" + url + " "
	}
	return b.seed() + at + "go run ./cmd/accept " + words
}

// seed is the setting with the subject's; nothing on other networks, where the command asks.
func (b banner) seed() string {
	if b.subject == nil {
		return ""
	}
	return "SUBJECT_ACCOUNT_SEED=" + b.subject.secret + " "
}

var defaultListen = config.Pick("HTTP_LISTEN")[0].Default
