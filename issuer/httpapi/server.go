package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
)

// Serve answers requests on ln until ctx ends. Then it takes no new ones, waits for those in progress, at most
// [Config.StopTime], and gives up what is left. It closes ln, and returns nil where it stopped because ctx ended.
func (a *API) Serve(ctx context.Context, ln net.Listener) error {
	// Requests in progress outlive ctx, so that a stop lets them finish.
	base, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	server := &http.Server{
		Handler:           a,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       bodyTime,
		WriteTimeout:      a.cfg.AnswerTime + writeTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    MaxHeaderBytes,
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          slog.NewLogLogger(a.cfg.Logger.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(ln) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(base, a.cfg.StopTime)
	defer cancel()
	err := server.Shutdown(patience)
	if err != nil {
		a.cfg.Logger.Warn("requests were still in progress when the time to stop was over")
		giveUp()
		err = server.Close()
	}
	if served := <-failed; err == nil && !errors.Is(served, http.ErrServerClosed) {
		err = served
	}
	return err
}
