package cosstore

import (
	"math"
	"net"
	"net/http"
	"strings"
	"time"

	"chatexport/internal/stall"
)

const (
	dialTimeout = 5 * time.Second // for a connection, and again for its TLS handshake
	idleConns   = 16              // as many as a batch has requests in flight, and more
)

const (
	maxHeader = 64 << 10
	// maxError is far above an error of COS, which repeats the request's string to sign at most.
	maxError = 64 << 10
	// maxPage is above a page of a listing: 1,000 keys of 850 bytes, each escaped to at most 3, and 500 bytes beside.
	maxPage = 4 << 20
)

// limit is how much of an answer is read. An object is read by Get, which knows its kind.
func limit(response *http.Response) int64 {
	switch request := response.Request; {
	case response.StatusCode/100 != http.StatusOK/100:
		return maxError
	case request.Method == http.MethodGet && strings.Trim(request.URL.Path, "/") != "":
		return math.MaxInt64
	default:
		return maxPage
	}
}

func newTransport(cfg Config) *http.Transport {
	dial := cfg.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext
	}
	return &http.Transport{
		DialContext:         stall.Dial(dial, cfg.StallTimeout),
		TLSHandshakeTimeout: dialTimeout,

		MaxResponseHeaderBytes: maxHeader,
		MaxIdleConnsPerHost:    idleConns,
		IdleConnTimeout:        cfg.StallTimeout / 2, // before they stall, and long before COS closes them
		DisableCompression:     true,                 // objects are gzip files: they must arrive as they are
	}
}
