package main

import "github.com/xrplissuer/credential-issuer/issuer"

// checks are the conditions of this process without which it issues nothing while it holds the submission lease: one line each.
// The messages are for operators, and for everybody who asks /readyz: they hold no secrets.
func (p *program) checks() []issuer.Check {
	return []issuer.Check{
		{Name: "submitter", Fault: p.submitterFault},
		{Name: "network", Fault: p.networkFault},
	}
}

// submitterFault says why the submitter of this process makes no progress.
func (p *program) submitterFault() string {
	if !p.lane.Stats().Working {
		return ""
	}
	return p.lane.Status().Trouble
}

// networkFault says that nothing is signed before the node's ledger is known to be the journal's.
func (p *program) networkFault() string {
	if p.guard.isSettled() {
		return ""
	}
	return "it is not known yet whether the node's ledger is the journal's: nothing is signed"
}
