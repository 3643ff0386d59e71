package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// maxStreams is how many requests one connection of HTTP/2 may have under way.
const maxStreams = 100

// Serve answers requests on ln until ctx ends. Then it takes no new ones, waits for those in progress, at most
// [Config.StopTime], and gives up what is left. It closes ln, and returns when no request is in progress: nil where it
// stopped because ctx ended.
func (a *API) Serve(ctx context.Context, ln net.Listener) error {
	// Requests in progress outlive ctx, so that a stop lets them finish.
	base, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	server := &http.Server{
		Handler:           a,
		ReadHeaderTimeout: a.cfg.HeaderTime,
		ReadTimeout:       a.cfg.BodyTime,
		WriteTimeout:      a.cfg.AnswerTime + a.cfg.WriteTime,
		IdleTimeout:       a.cfg.IdleTime,
		MaxHeaderBytes:    MaxHeaderBytes,
		// OPTIONS * is nothing here, and is answered as all is: net/http would, without our headers and past the log.
		DisableGeneralOptionsHandler: true,
		HTTP2:                        &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		ConnContext:                  onConnection,
		BaseContext:                  func(net.Listener) context.Context { return base },
		ErrorLog:                     slog.NewLogLogger(a.cfg.Logger.Handler(), slog.LevelWarn),
	}
	ln = limit(ln, a.cfg.MaxConnections)
	failed := make(chan error, 1)
	serve := server.Serve
	if a.cfg.TLS != nil {
		server.TLSConfig = a.cfg.TLS
		serve = func(ln net.Listener) error { return server.ServeTLS(ln, "", "") }
	}
	go func() { failed <- serve(ln) }()
	counting, counted := context.WithCancel(base)
	var counts sync.WaitGroup
	counts.Go(func() { a.storeReads(counting) })
	defer counts.Wait()
	defer counted() // once no request is in progress
	select {
	case err := <-failed:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	a.cfg.Logger.Info("stopping", "limit", a.cfg.StopTime)
	err := shutdown(base, server, a.cfg.StopTime)
	if err != nil {
		a.cfg.Logger.Warn("requests are still in progress, and the time to stop is over")
		if a.cfg.GiveUp != nil {
			a.cfg.GiveUp()
		}
		err = shutdown(base, server, lastWords)
	}
	if err != nil {
		giveUp()
		err = server.Close()
	}
	a.inFlight.Wait()
	if served := <-failed; err == nil && !errors.Is(served, http.ErrServerClosed) {
		err = served
	}
	return err
}

// lastWords is how long requests that were given up have to be answered.
const lastWords = 2 * time.Second

func shutdown(ctx context.Context, server *http.Server, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return server.Shutdown(ctx)
}
