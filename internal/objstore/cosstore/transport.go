package cosstore

import (
	"net"
	"net/http"
	"time"

	"chatexport/internal/stall"
)

const (
	dialTimeout = 5 * time.Second // for a connection, and again for its TLS handshake
	idleConns   = 16              // as many as a batch has requests in flight, and more
)

func newTransport(cfg Config) *http.Transport {
	dial := cfg.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext
	}
	return &http.Transport{
		DialContext:         stall.Dial(dial, cfg.StallTimeout),
		TLSHandshakeTimeout: dialTimeout,
		MaxIdleConnsPerHost: idleConns,
		IdleConnTimeout:     cfg.StallTimeout / 2, // before they stall, and long before COS closes them
		DisableCompression:  true,                 // objects are gzip files: they must arrive as they are
	}
}
