// Package webhook tells other systems of events, by HTTP requests that follow Standard Webhooks 1.0.0
// (https://www.standardwebhooks.com).
//
// It imports model and libraries. It owns the interface [Outbox] to what is kept of deliveries, and keeps nothing
// itself that must outlive the process. It reads no setting but the text of a file of endpoints ([ParseFile]), decides
// nothing about credentials, and sends to no address but those that it was made with.
//
// # What is sent
//
// A POST with the body
//
//	{"type":"credential.issued","timestamp":"2030-01-02T03:04:05.678901Z","data":{…}}
//
// The type is the event's kind, the timestamp when it happened. The data has these fields, and those of the event's own
// Data beside them, which cannot take the place of one of these:
//
//	issuer      the issuing account
//	subject     the account that the credential is about
//	credential  its type, as lists show it: see [model.CredentialType.Text]
//	request     the id of the request that a person decides on; left out where there is none
//	operation   the id of the operation that did it, or is to do it; left out where there is none
//	actor       who did it, as the audit log calls them, which may be a person's name; left out where it is not known
//
// An event's Data holds nothing secret and nothing of documents, and neither does what is sent. The headers are webhook-id,
// which is the event's id and the same at every attempt, webhook-timestamp, when the attempt was made, and
// webhook-signature, with one signature for each [Secret] of the endpoint, the first one's first.
//
// # What a receiver can rely on
//
// Each event that happens while an endpoint is subscribed, and is of a kind that it is told of, is sent to it until it
// was taken, or given up; it may come more than once, and is to be told by its webhook-id then. Events of one
// credential (issuer, subject and type) come one after the other: none is sent before each earlier one was taken or
// given up, and that is stored. Those of different credentials come side by side, in any order. An event that an
// operation brought about is sent once that operation can be read as final.
//
// An event is taken by an answer of 2xx within [Config.Timeout]. Anything else is a failure: redirects are not followed, and
// no more of an answer is read than its status, a few kilobytes of headers, and as little of its body. After a failure the
// event is sent again, after a time that grows fourfold from [Retry.First] to [Retry.Longest], give or take a quarter. A
// Retry-After takes the place of that time, within the same bounds, and with 429 and 503 holds back everything for the
// endpoint. An event is given up when an attempt fails [Retry.For] or more after its first one.
//
// An endpoint that fails as often in a row as attempts may be under way at once is taken to be down: it is tried with
// one event at a time, after pauses of up to [longestPause], until it takes one. An answer of 410 stops everything for
// the endpoint until its address is another one, or the program is started again; nothing is given up, and the outbox
// keeps what there is.
//
// # Where it is sent
//
// To https addresses. At each connection, the address that is about to be connected to is looked at, whatever the name
// resolved to before: it must be one of the public Internet. An endpoint that may be private can also be on loopback, in the
// private ranges of RFC 1918 and RFC 4193, or behind a carrier's NAT (RFC 6598), and only there can it be plain http.
// Link-local addresses, those where clouds serve a machine's secrets, multicast, broadcast, and all that is reserved, used in
// documentation or carries another address within are never connected to. Proxies of the environment are not used.
//
// A [Secret] prints as [redacted] and an [Endpoint] as its ID and the scheme and host of its address: a path and a query may
// hold secrets, and are in no log, no error and no database.
//
// # Goroutines
//
// [Sender.Run] has one for each endpoint and one for each attempt, and ends with all of them.
package webhook
