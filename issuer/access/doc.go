// Package access says who calls, and how often they may.
//
// It knows two kinds of callers of the administrators' side: holders of a token that this service made
// ([Mint], [ParseToken]), and holders of a JWT of the organisation's identity provider ([OIDC]). The [Authenticator] turns
// an Authorization header into a [model.Principal]. For the public side there are token buckets ([Limiter]) and the
// address that a request comes from ([Proxies]).
//
// It imports model and libraries. It knows nothing of HTTP routes and writes no answer, keeps no token (the store does,
// through the interface [Tokens] that this package owns), and decides nothing about credentials. What a role may do is
// model's and the routes' to say.
//
// # What is refused, and how
//
// A missing, malformed, unknown, expired or revoked token, and a JWT that does not hold for whatever reason, are all
// model.CodeUnauthorized with one and the same message: why is in the error's cause, for the log. No cause repeats a token or
// any part of one that is secret, and none repeats words of a caller that nothing vouches for. A JWT that holds, of someone
// without a role here, is model.CodeForbidden. Where the identity provider does not answer and its keys are not known, a JWT
// can be neither believed nor refused: model.CodeAccessUnavailable.
//
// A JWT that holds can be denied all the same, by its subject or by its id. The store is asked about each, so that it
// is refused everywhere from then on; where the store does not answer, nobody is let in.
//
// Tokens that do not hold count against the rate of the client that shows them. Beyond it they are refused unseen
// (model.CodeTooManyRequests), whatever they are, but for those that held before: nothing is looked up for them, no
// signature is checked, and no provider asked. A request without a token costs nothing, and counts nowhere.
//
// # Goroutines
//
// An Authenticator has one that records last uses, and at most one that reads the provider's keys. [Authenticator.Close]
// waits for both.
package access
