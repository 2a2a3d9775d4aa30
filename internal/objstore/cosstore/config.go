// Package cosstore keeps objects in Tencent COS.
//
// It owns everything that is special about COS: its SDK, its error codes, which failures are worth another attempt,
// checksums and credentials. It must never decide what an object means, resolve a conflict of two writers, delete
// anything that exists, or let credentials into an error.
package cosstore

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/tencentyun/cos-go-sdk-v5"

	"chatexport/internal/config"
	"chatexport/internal/guard"
	"chatexport/internal/retry"
)

// Config says where the store is and how patient it is. Zero values stand for the defaults.
type Config struct {
	Bucket string // name-appid
	Region string // such as ap-guangzhou
	Prefix string // before every key; a missing trailing slash is added
	// Endpoint is a base URL to talk to instead of the bucket's own; http only for loopback. The Host header still
	// names the bucket.
	Endpoint string

	Credentials config.Credentials // until SetCredentials; an operation that COS calls expired fails at once

	StallTimeout time.Duration // an attempt that moves no byte for this long is given up, guard.Stall
	Retry        retry.Policy  // of one operation; 5 attempts, first wait up to 200 ms, no wait above 5 s

	// Dial replaces the network, for tests in virtual time; nil otherwise.
	Dial guard.Dialer
	// Proxy is for operators' machines; nil in the function.
	Proxy guard.Proxy
}

// New makes a store. It sends nothing: Preflight finds out whether the store can be used.
func New(cfg Config) (*Store, error) {
	cfg.StallTimeout = cmp.Or(cfg.StallTimeout, guard.Stall)
	if cfg.Retry.Attempts == 0 {
		cfg.Retry = retry.Policy{Base: 200 * time.Millisecond, Cap: 5 * time.Second, Attempts: 5}
	}
	if cfg.Prefix != "" && !strings.HasSuffix(cfg.Prefix, "/") {
		cfg.Prefix += "/"
	}
	host := cfg.Bucket + ".cos." + cfg.Region + ".myqcloud.com"
	base, err := config.BaseURL(cmp.Or(cfg.Endpoint, "https://"+host))
	if err != nil {
		return nil, fmt.Errorf("cos store: the endpoint %w", err)
	}
	s := &Store{cfg: cfg, transport: guard.NewPool(idleConns, cfg.StallTimeout, cfg.Dial)}
	s.transport.Proxy = cfg.Proxy
	s.transport.DisableCompression = true // objects are gzip files: they must arrive as they are
	s.auth = &cos.AuthorizationTransport{Transport: guard.Transport{Next: s.transport, Limit: limit}}
	s.SetCredentials(cfg.Credentials)
	// No http.Client.Timeout: it would cut long downloads. Stalls are found by the connections, the rest is the context's.
	s.client = cos.NewClient(&cos.BaseURL{BucketURL: base}, &http.Client{Transport: s.auth})
	s.client.Host = host
	// The SDK's retry reads the body while a failed attempt may still send it, and has no back-off: one attempt only.
	s.client.Conf.RetryOpt.Count = 1
	s.client.Conf.EnableCRC = false // put checks it, of empty bodies, too, and without an error that holds all headers
	return s, nil
}
