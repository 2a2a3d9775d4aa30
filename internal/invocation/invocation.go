// Package invocation does one invocation of the function: event in, batches, short summary out.
//
// It owns the composition of the adapters, what lives as long as an instance and what only as long as an invocation,
// and the rules for events with several tasks. The function and the local demo share it, so it must never know the
// platform's library, read the process's environment, or end the process.
package invocation

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"chatexport/internal/config"
	"chatexport/internal/event"
	"chatexport/internal/guard"
	"chatexport/internal/logging"
	"chatexport/internal/retry"
	"chatexport/internal/version"
)

const (
	// maxTimeLimit is the longest an invocation can last (SCF documentation, 583/11637). A deadline further away is a
	// broken clock or a mistake.
	maxTimeLimit = 900 * time.Second
	// marginShare of the time is left to the platform: an invocation that ends itself can say what went wrong, one that
	// is killed cannot.
	marginShare = 0.02
	minMargin   = 100 * time.Millisecond
	maxMargin   = 500 * time.Millisecond
	// defaultTimeLimit is what the platform gives a function whose limit nobody set.
	defaultTimeLimit = 3 * time.Second
)

// Platform is what the platform says of an invocation. Any field may be empty.
type Platform struct {
	RequestID string
	Function  string
	Version   string // version or alias
	Namespace string
	Region    string
	MemoryMB  int
	TimeLimit time.Duration
}

// Handler serves the invocations of one instance, one at a time, as the platform delivers them.
type Handler struct {
	getenv   func(string) string
	logs     io.Writer
	dial     guard.Dialer
	instance *instance // what lives as long as the instance; nil until the first invocation with a sound configuration
}

// New returns a handler. getenv is asked inside Invoke only, since the platform sets the environment with each
// invocation and not before. Log lines go to logs, one write each.
func New(getenv func(string) string, logs io.Writer) *Handler {
	return &Handler{getenv: getenv, logs: logs}
}

// DialWith replaces the network, for tests in virtual time. It must be called before the first Invoke.
func (h *Handler) DialWith(dial guard.Dialer) { h.dial = dial }

// Invoke serves one event and returns a JSON summary without message content. An error means that the platform should
// deliver the event again; everything that a repetition cannot mend is a success. Invoke is over at the earlier of
// ctx's deadline and the time limit, and leaves nothing running behind it.
func (h *Handler) Invoke(ctx context.Context, p Platform, payload []byte) ([]byte, error) {
	start := time.Now()
	deadline := deadlineOf(ctx, p, start)
	deadline = deadline.Add(-retry.Share(deadline.Sub(start), marginShare, minMargin, maxMargin))
	// The context's own deadline may be absurd (a zero deadline arrives as 1970): it is replaced, cancellation is kept.
	ctx, cancel := keepCancel(ctx, deadline)
	defer cancel()

	if err := h.prepare(p); err != nil {
		log := h.log("info", p)
		log.Error().Err(err).Str("outcome", "error").Msg("configuration is not usable")
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	log := h.log(h.instance.config.LogLevel, p)
	credentials, err := config.LoadCredentials(h.getenv)
	if err != nil {
		log.Error().Err(err).Str("outcome", "error").Msg("invocation cannot be served")
		return nil, fmt.Errorf("read credentials: %w", err)
	}
	h.instance.wake(credentials)
	if err := h.instance.preflight(ctx); err != nil {
		log.Error().Err(err).Str("outcome", "error").Msg("preflight")
		return nil, fmt.Errorf("preflight: %w", err)
	}
	v := &visit{
		instance: h.instance, platform: complete(p, config.LoadPlatform(h.getenv), h.instance.config),
		event: event.Decode(payload), owner: ownerOf(payload), start: start, deadline: deadline, log: log,
	}
	v.publisher = v.newPublisher(credentials)
	v.engine = v.newEngine()
	log.Debug().Str("function", v.platform.Function).Str("version", v.platform.Version).Msg("invocation begins")
	return v.serve(ctx)
}

// prepare reads the configuration and builds the clients, once. After an error the next invocation tries again: an
// operator may have mended the variables meanwhile.
func (h *Handler) prepare(p Platform) error {
	if h.instance != nil {
		return nil
	}
	c, err := config.Load(h.getenv)
	if err != nil {
		return err
	}
	log := h.log(c.LogLevel, p)
	for _, warning := range c.Warnings() {
		log.Warn().Msg(warning)
	}
	h.instance, err = newInstance(c, h.dial, log)
	return err
}

// log returns the logger of an invocation.
func (h *Handler) log(level string, p Platform) zerolog.Logger {
	return logging.New(h.logs, level).With().Str("build", version.String()).Str("request_id", p.RequestID).Logger()
}

// complete fills what the invocation did not say from the environment; the region of COS is the function's, too, where
// nothing else tells it, since both should be in one region anyway.
func complete(p Platform, env config.Platform, c config.Config) Platform {
	p.Function = cmp.Or(p.Function, env.Function)
	p.Version = cmp.Or(p.Version, env.Version)
	p.Namespace = cmp.Or(p.Namespace, env.Namespace)
	p.Region = cmp.Or(p.Region, env.Region, c.COSRegion)
	return p
}

// deadlineOf returns when the platform ends the invocation, as far as it said so believably.
func deadlineOf(ctx context.Context, p Platform, now time.Time) time.Time {
	told := []time.Duration{p.TimeLimit}
	if deadline, ok := ctx.Deadline(); ok {
		told = append(told, deadline.Sub(now))
	}
	told = slices.DeleteFunc(told, func(d time.Duration) bool { return d <= 0 || d > maxTimeLimit })
	if len(told) == 0 {
		return now.Add(defaultTimeLimit)
	}
	return now.Add(slices.Min(told))
}

// keepCancel returns a context that ends at deadline, whatever ctx's own deadline is, or when ctx is cancelled.
func keepCancel(ctx context.Context, deadline time.Time) (context.Context, context.CancelFunc) {
	bounded, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	stop := context.AfterFunc(ctx, func() {
		// The cause would not do: that of a signal's context names the signal.
		if errors.Is(ctx.Err(), context.Canceled) {
			cancel()
		}
	})
	return bounded, func() { stop(); cancel() }
}

// ownerOf names an event in leases. It is the same for every delivery of the event, so that a redelivery is not stopped
// by its own crashed predecessor.
func ownerOf(payload []byte) string {
	sum := sha256.Sum256(payload)
	return hex.EncodeToString(sum[:16])
}
