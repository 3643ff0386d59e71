package httpapi

import (
	"github.com/labstack/echo/v4"

	"github.com/xrplissuer/credential-issuer/model"
)

// Requests for a subject have two rates. What arrives without a verified proof counts against its client and subject together, so that
// nobody can use up what others may ask for the same subject. What the holder of the subject's key has signed counts against the
// subject, from wherever it comes, and once: whoever else obtains the proof cannot use up the rate by repeating it.

// takeUnproven counts a request that has no verified proof.
func (a *API) takeUnproven(c echo.Context, subject model.Address) error {
	return take(a.cfg.UnprovenLimit, a.cfg.ClientIP(c.Request())+" "+string(subject))
}

// proven returns what counts a request of a subject once its proof is verified.
func (a *API) proven(subject model.Address) func(*model.SpentNonce) error {
	return func(n *model.SpentNonce) error {
		if a.cfg.ProofLimit != nil {
			if first, _ := a.cfg.ProofLimit.Take(n.Nonce); !first {
				return nil
			}
		}
		return take(a.cfg.SubjectLimit, string(subject))
	}
}
