// Package cosstore keeps objects in Tencent COS.
//
// It owns everything that is special about COS: its SDK, its error codes, which failures are worth another attempt,
// checksums and credentials. It must never decide what an object means, resolve a conflict of two writers, delete
// anything that exists, or let credentials into an error.
package cosstore

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/tencentyun/cos-go-sdk-v5"

	"chatexport/internal/config"
	"chatexport/internal/guard"
	"chatexport/internal/retry"
)

// Defaults of Config.
const (
	defaultAttempts = 5
	defaultBase     = 200 * time.Millisecond
	defaultCap      = 5 * time.Second
)

// Shapes that COS documents for bucket and region.
var (
	bucketShape = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?-[0-9]+$`)
	regionShape = regexp.MustCompile(`^[a-z0-9-]+$`)
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

	StallTimeout time.Duration // an attempt that moves no byte for this long is given up, 20 s
	Retry        retry.Policy  // all attempts of one operation; 5, first wait up to 200 ms, no wait above 5 s

	// Dial replaces the network, for tests in virtual time; nil otherwise.
	Dial guard.Dialer
}

func (c *Config) setDefaults() {
	orDefault(&c.StallTimeout, guard.Stall)
	orDefault(&c.Retry.Attempts, defaultAttempts)
	orDefault(&c.Retry.Base, defaultBase)
	orDefault(&c.Retry.Cap, defaultCap)
	if c.Prefix != "" && !strings.HasSuffix(c.Prefix, "/") {
		c.Prefix += "/"
	}
}

func orDefault[T int | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// New makes a store. It sends nothing: Preflight finds out whether the store can be used. All problems of the
// configuration are reported together.
func New(cfg Config) (*Store, error) {
	cfg.setDefaults()
	var problems []error
	if !bucketShape.MatchString(cfg.Bucket) {
		problems = append(problems, fmt.Errorf("bucket %q must be <name>-<appid>, such as archive-1250000000", cfg.Bucket))
	}
	if !regionShape.MatchString(cfg.Region) {
		problems = append(problems, fmt.Errorf("region %q must be a COS region, such as ap-guangzhou", cfg.Region))
	}
	if cfg.Prefix != "" {
		if err := checkKey(cfg.Prefix + "x"); err != nil {
			problems = append(problems, fmt.Errorf("prefix %q: %w", cfg.Prefix, err))
		}
	}
	host := cfg.Bucket + ".cos." + cfg.Region + ".myqcloud.com"
	base, err := baseURL(cfg.Endpoint, host)
	if err != nil {
		problems = append(problems, err)
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("cos store: %w", errors.Join(problems...))
	}
	s := &Store{cfg: cfg, transport: guard.NewPool(idleConns, cfg.StallTimeout, cfg.Dial)}
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

// baseURL is where requests go to.
func baseURL(endpoint, host string) (*url.URL, error) {
	if endpoint == "" {
		return &url.URL{Scheme: "https", Host: host}, nil
	}
	u, err := config.BaseURL(endpoint)
	if err == nil && u.Path != "" {
		err = errors.New("has a path")
	}
	if err != nil {
		return nil, fmt.Errorf("the endpoint %w", err)
	}
	return u, nil
}
