package chatapi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"chatexport/internal/config"
)

const (
	// defaultConcurrency is the number of connections kept when Config names none.
	defaultConcurrency = 16

	// defaultTimeout bounds one attempt. The service gives up after 3 s and asks callers to wait longer than that
	// (Chat documentation, REST API overview); 10 s leave room for a slow network without holding a batch up.
	defaultTimeout = 10 * time.Second

	// maxAnswer bounds what is read of one answer, in bytes. The service sends at most 1 MB (code 10018 otherwise).
	maxAnswer = 4 << 20

	// dialTimeout bounds the TCP and the TLS handshake, each.
	dialTimeout = 5 * time.Second

	// idleTimeout is short because an instance that the platform has frozen comes back to connections that are dead.
	idleTimeout = 30 * time.Second
)

// Config is what a Client needs.
type Config struct {
	SDKAppID  int           // required, positive
	SecretKey config.Secret // required; signs UserSigs and goes nowhere else
	Admin     string        // account of an app administrator; "administrator" if empty

	// BaseURL is the service's address without the path /v4 (config.Config.ChatEndpoint). Plain http is allowed
	// for loopback hosts only, since the UserSig stands in the URL.
	BaseURL string

	Concurrency int           // connections at most, and kept alive; 16 if 0
	Timeout     time.Duration // of one attempt, from connecting to the last byte; 10 s if 0
	UserAgent   string        // "chatexport" if empty

	// Transport replaces the client's own connection pool, for tests that need no network; nil otherwise.
	Transport http.RoundTripper
	// Dial replaces the network below the client's own pool, for tests in virtual time; nil otherwise.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// withDefaults fills what is empty and reports all that is wrong at once, without repeating a secret.
func (c Config) withDefaults() (Config, *url.URL, error) {
	var problems []error
	if c.SDKAppID <= 0 {
		problems = append(problems, fmt.Errorf("SDKAppID %d is not positive", c.SDKAppID))
	}
	if c.SecretKey.Empty() {
		problems = append(problems, errors.New("the secret key is empty"))
	}
	if c.Concurrency < 0 {
		problems = append(problems, fmt.Errorf("concurrency %d is negative", c.Concurrency))
	}
	if c.Timeout < 0 {
		problems = append(problems, fmt.Errorf("timeout %v is negative", c.Timeout))
	}
	base, err := config.BaseURL(c.BaseURL)
	if err != nil {
		problems = append(problems, fmt.Errorf("the base URL %w", err))
	}
	if len(problems) > 0 {
		return Config{}, nil, fmt.Errorf("%w: %w", ErrConfiguration, errors.Join(problems...))
	}
	if c.Admin == "" {
		c.Admin = "administrator"
	}
	if c.Concurrency == 0 {
		c.Concurrency = defaultConcurrency
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.UserAgent == "" {
		c.UserAgent = "chatexport"
	}
	return c, base, nil
}
