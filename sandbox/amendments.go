package sandbox

import (
	"slices"
	"strings"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
)

// PermissionedDomains is the amendment that brings permissioned domains (XLS-80), as rippled 2.4.0 has them.
const PermissionedDomains = engine.PermissionedDomains

// LaterAmendments are the names of the amendments that came after rippled 2.3.0 and that a ledger has unless Config.Amendments says
// otherwise. Those of 2.3.0 are on in every ledger.
func LaterAmendments() []string { return slices.Clone(engine.LaterAmendments) }

// Amendments are the names of the later amendments that the ledger has, as it was made with them.
func (s *Server) Amendments() []string {
	var names []string
	for _, a := range s.node.Amendments() {
		if slices.Contains(engine.LaterAmendments, a.Name) {
			names = append(names, a.Name)
		}
	}
	return names
}

func sameNames(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// namesOf tells of later amendments in an error.
func namesOf(amendments []string) string {
	if len(amendments) == 0 {
		return "the amendments of rippled 2.3.0 alone"
	}
	return "the amendments of rippled 2.3.0 and " + strings.Join(amendments, ", ")
}
