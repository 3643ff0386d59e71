package access

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/xrplissuer/credential-issuer/model"
)

// ParseRoles reads which roles of the identity provider stand for which of ours: "issuer-admins=admin,
// issuer-reviewers=reviewer". A name is the provider's own, and may hold = but no comma.
func ParseRoles(s string) (map[string]model.Role, error) {
	roles := map[string]model.Role{}
	for pair := range strings.SplitSeq(s, ",") {
		at := strings.LastIndexByte(pair, '=')
		if at < 0 {
			return nil, errors.New("must be name=role, separated by commas: the name of a role at the identity provider, and admin, reviewer or reader")
		}
		name, ours := strings.TrimSpace(pair[:at]), strings.TrimSpace(pair[at+1:])
		role, err := model.ParseRole(ours)
		switch {
		case name == "":
			return nil, errors.New("must have the name of a role at the identity provider before each =")
		case err != nil:
			return nil, fmt.Errorf("must have one of our roles after %q=: it %w", name, err)
		}
		if _, twice := roles[name]; twice {
			return nil, fmt.Errorf("names %q twice", name)
		}
		roles[name] = role
	}
	return roles, nil
}

// claimPath leads to a claim through objects.
type claimPath []string

// parseClaimPath reads a path: names with dots between them ("realm_access.roles"), a name that is a URL and so holds dots of
// its own ("https://issuer.example/roles"), or a JSON Pointer of RFC 6901 where a name within holds dots
// ("/resource_access/my.client/roles").
func parseClaimPath(s string) (claimPath, error) {
	var path claimPath
	switch {
	case strings.HasPrefix(s, "/"):
		path = strings.Split(s[1:], "/")
		for i := range path {
			path[i] = strings.ReplaceAll(strings.ReplaceAll(path[i], "~1", "/"), "~0", "~")
		}
	case strings.Contains(s, "://"):
		path = claimPath{s}
	default:
		path = strings.Split(s, ".")
	}
	for _, name := range path {
		if name == "" {
			return nil, errors.New("the claim with the roles must be a name, such as roles, names with dots between them, such as realm_access.roles, or a JSON Pointer")
		}
	}
	return path, nil
}

// strongest returns the highest of our roles that the claim at the path stands for: a text, or a list in which only texts
// count. It is empty where there is none.
func (path claimPath) strongest(claims map[string]any, roles map[string]model.Role) model.Role {
	var at any = claims
	for _, name := range path {
		object, _ := at.(map[string]any)
		at = object[name]
	}
	list, ok := at.([]any)
	if !ok {
		list = []any{at}
	}
	var best model.Role
	for _, value := range list {
		name, _ := value.(string)
		if role, known := roles[name]; known && (best == "" || role.Allows(best)) {
			best = role
		}
	}
	return best
}

// checkRoles copies the map, so that nobody changes it later.
func checkRoles(roles map[string]model.Role) (map[string]model.Role, error) {
	if len(roles) == 0 {
		return nil, errors.New("at least one role of the provider must stand for one of ours: nobody could do anything")
	}
	for name, role := range roles {
		if _, err := model.ParseRole(string(role)); err != nil {
			return nil, fmt.Errorf("the role that %q stands for %w", name, err)
		}
		if name == "" {
			return nil, errors.New("the name of a role at the provider must not be empty")
		}
	}
	return maps.Clone(roles), nil
}
