package chatapi

import (
	"cmp"
	"net/http"
	"time"

	"chatexport/internal/config"
	"chatexport/internal/guard"
)

const (
	// defaultConcurrency is the number of connections kept when Config names none.
	defaultConcurrency = 16

	// defaultTimeout bounds one attempt. The service gives up after 3 s and asks callers to wait longer than that
	// (Chat documentation, REST API overview); 10 s leave room for a slow network without holding a batch up.
	defaultTimeout = 10 * time.Second

	// maxAnswer bounds what is read of one answer, in bytes. The service sends at most 1 MB (code 10018 otherwise).
	maxAnswer = 4 << 20
)

// Config is what a Client needs.
type Config struct {
	SDKAppID  int           // required, positive
	SecretKey config.Secret // required; signs UserSigs and goes nowhere else
	Admin     string        // account of an app administrator; "administrator" if empty

	// BaseURL is the service's address without the path /v4 (config.Config.ChatEndpoint). Plain http is allowed for loopback
	// hosts only, since the UserSig stands in the URL.
	BaseURL string

	Concurrency int           // connections at most, and kept alive; 16 if 0
	Timeout     time.Duration // of one attempt, from connecting to the last byte; 10 s if 0

	// Transport replaces the client's own connection pool, for tests that need no network; nil otherwise.
	Transport http.RoundTripper
	// Dial replaces the network below the client's own pool, for tests in virtual time; nil otherwise.
	Dial guard.Dialer
	// Proxy is for operators' machines, below the client's own pool; nil in the function.
	Proxy guard.Proxy
}

// client returns the guarded client.
func (c Config) client() *http.Client {
	next := c.Transport
	if next == nil {
		connections := cmp.Or(c.Concurrency, defaultConcurrency)
		pool := guard.NewPool(connections, guard.Stall, c.Dial)
		pool.MaxConnsPerHost = connections
		pool.Proxy = c.Proxy
		next = pool
	}
	return &http.Client{Transport: guard.Transport{Next: next, Limit: func(*http.Response) int64 { return maxAnswer }}}
}
