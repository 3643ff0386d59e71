package httpapi

import (
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/xrplissuer/credential-issuer/model"
)

// route is one line of the interface.
type route struct {
	method, path string
	// role is what the caller needs; empty where nobody is asked who they are.
	role model.Role
	// public says that the route is for everybody, and counts against its client's rate.
	public bool
	serve  echo.HandlerFunc
}

// table is the interface: every route, and who may use it. A GET answers HEAD too, with the handler's header alone.
func (a *API) table() []route {
	routes := []route{
		{method: http.MethodPost, path: "/credential", public: true, serve: a.issue},
		{method: http.MethodPost, path: "/challenge", public: true, serve: a.challenge},
		{method: http.MethodGet, path: "/credential/:issuer/:subject/:type", public: true, serve: a.verify},
		{method: http.MethodGet, path: requestsPath + ":id", public: true, serve: a.request},
		{method: http.MethodDelete, path: requestsPath + ":id", public: true, serve: a.withdraw},
		{method: http.MethodGet, path: operationsPath + ":id", public: true, serve: a.operation},

		{method: http.MethodGet, path: "/admin/credential", role: model.RoleReader, serve: a.list},
		{method: http.MethodDelete, path: "/admin/credential", role: model.RoleAdmin, serve: a.revoke},
		{method: http.MethodPost, path: "/admin/credential/batch", role: model.RoleAdmin, serve: a.issueBatch},
		{method: http.MethodGet, path: batchesPath + ":id", role: model.RoleReader, serve: a.batch},
		{method: http.MethodDelete, path: batchesPath + ":id", role: model.RoleAdmin, serve: a.cancelBatch},
		{method: http.MethodGet, path: "/admin/request", role: model.RoleReader, serve: a.applications},
		{method: http.MethodGet, path: adminRequestPath, role: model.RoleReviewer, serve: a.application},
		{method: http.MethodPost, path: "/admin/request/:id/approve", role: model.RoleReviewer, serve: a.approve},
		{method: http.MethodPost, path: "/admin/request/:id/reject", role: model.RoleReviewer, serve: a.reject},
		{method: http.MethodGet, path: "/admin/status", role: model.RoleReader, serve: a.status},
		{method: http.MethodGet, path: "/admin/audit", role: model.RoleAdmin, serve: a.audit},

		{method: http.MethodGet, path: "/healthz", serve: a.healthy},
		{method: http.MethodGet, path: "/readyz", serve: a.ready},
	}
	if a.cfg.Metrics != nil {
		routes = append(routes, route{method: http.MethodGet, path: "/metrics", role: model.RoleReader, serve: echo.WrapHandler(a.cfg.Metrics)})
	}
	return routes
}

// Route is one line of the interface, for those who check that each is guarded.
type Route struct {
	Method, Path string
	// Role is what the caller needs; empty where nobody is asked who they are.
	Role model.Role
}

// Routes lists the interface.
func (a *API) Routes() []Route {
	var all []Route
	for _, r := range a.table() {
		all = append(all, Route{r.method, r.path, r.role})
	}
	return all
}

func (a *API) register() {
	a.routes = map[string]bool{}
	for _, r := range a.table() {
		serve := a.guard(r)
		a.echo.Add(r.method, r.path, serve)
		a.routes[r.path] = true
		if r.method != http.MethodGet {
			continue
		}
		if r.path == "/admin/credential" { // its GET reads the whole list
			head := r
			head.serve = a.headList
			serve = a.guard(head)
		}
		a.echo.Add(http.MethodHead, r.path, serve)
	}
}

// param is a part of the path, as its sender meant it. The router looks at the path as it was sent where that is not the
// usual encoding, so that %2F parts nothing, and leaves the parts as they are then. What cannot be decoded stays; net/http
// has refused it before.
func param(c echo.Context, name string) string {
	value := c.Param(name)
	if c.Request().URL.RawPath == "" {
		return value
	}
	if decoded, err := url.PathUnescape(value); err == nil {
		return decoded
	}
	return value
}
