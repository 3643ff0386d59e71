// Command attack shows that the service withstands those who mean it harm. `make attack` runs all of it, in about a
// minute; words choose the attacks whose name holds one of them:
//
//	go run ./test/attack [--short] [--keep] [--programs FOLDER] [JWT] [slow] ...
//
// `make test` runs the short form: fewer of each, and without the one that takes 20 s.
//
// It builds the real programs and runs them as processes on loopback: the embedded ledger (cmd/sandbox), and three
// services (cmd/issuer), which are attacked side by side:
//
//	plain  HTTP, policies with and without review and proof, tokens, an identity provider of this program, webhooks
//	tls    HTTPS and HTTP/2, the usual rates, one trusted proxy, an identity provider that does not answer, log in JSON
//	open   the sandbox without tokens
//
// Of each attack it prints how many requests there were, what they were answered (`closed`, `none` and `part` are no
// answer, `held` is a connection that was left open), and
//
//	issued  what the issuing account sent or the journal stored beyond what was asked for rightly: by the account's
//	        Sequence in a validated ledger, which counts all that it ever sent, by the credentials that stand there, and
//	        by SQL of this program on the journal. It must be 0.
//	memory  the service's resident set in MiB: before, at its peak, after, and the bound that the peak must stay under:
//	        what the service held once it had warmed up, and 128 MiB beside; where an attack has another bound, it
//	        says why. Linux tells it; elsewhere it is not measured.
//	good    how long somebody else's request took afterwards, who does all as it is meant to be done, and gets a
//	        credential. It is printed; only one that takes 10 s, or is refused, is a fault.
//
// In every answer it looks for control characters, for those that turn the direction of writing, for markup in JSON, and
// for secrets; a status from 500 on is a fault where an attack does not say that the service may have no room. In the
// end it looks for secrets in logs and databases, for control characters in logs, and whether anybody contacted a
// listener that keys, schemas and redirects of this program point to. Anything that is wrong is printed below its attack,
// and makes the exit status 1.
//
// It sends to loopback alone, and writes to a folder of its own, which it keeps when something was wrong.
package main
