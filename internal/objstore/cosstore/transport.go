package cosstore

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// idleTimeout is shorter than COS keeps idle connections, so that we close them and not the server.
const idleTimeout = 30 * time.Second

var errStalled = errors.New("the connection moved no byte for too long")

func newTransport(cfg Config) *http.Transport {
	dial := cfg.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: cfg.DialTimeout, KeepAlive: 30 * time.Second}).DialContext
	}
	return &http.Transport{
		DialContext:         dial,
		TLSHandshakeTimeout: cfg.DialTimeout,
		MaxIdleConnsPerHost: cfg.Concurrency,
		IdleConnTimeout:     idleTimeout,
		DisableCompression:  true, // objects are gzip files: they must arrive as they are
	}
}

// stallGuard gives a request up when neither its body nor its answer moves for too long. A limit on the whole request
// would have to grow with its size and would still find a dead connection late.
type stallGuard struct {
	base    http.RoundTripper
	timeout time.Duration
}

// RoundTrip makes the request and watches it until the answer's body is closed.
func (g *stallGuard) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(req.Context())
	w := &watch{cancel: cancel, timeout: g.timeout}
	w.timer = time.AfterFunc(g.timeout, w.expire)
	req = req.WithContext(ctx)
	if req.Body != nil && req.Body != http.NoBody {
		req.Body = &watchedBody{ReadCloser: req.Body, watch: w}
	}
	resp, err := g.base.RoundTrip(req)
	if err != nil {
		err = w.explain(err)
		w.stop()
		return nil, err
	}
	resp.Body = &watchedBody{ReadCloser: resp.Body, watch: w, last: true}
	return resp, nil
}

// watch is the stall timer of one request.
type watch struct {
	timer   *time.Timer
	timeout time.Duration
	cancel  context.CancelFunc
	stalled atomic.Bool
	ended   atomic.Bool
}

func (w *watch) expire() {
	if !w.ended.Load() {
		w.stalled.Store(true)
		w.cancel()
	}
}

// moved starts the timer anew. A transport may still read the body of a request that has ended: where that races with
// stop, the timer fires once more and finds the request ended.
func (w *watch) moved() {
	if !w.ended.Load() {
		w.timer.Reset(w.timeout)
	}
}

func (w *watch) stop() {
	w.ended.Store(true)
	w.timer.Stop()
	w.cancel()
}

func (w *watch) explain(err error) error {
	if w.stalled.Load() {
		return errStalled
	}
	return err
}

// watchedBody reports every byte that moves.
type watchedBody struct {
	io.ReadCloser

	watch *watch
	last  bool // closing this body ends the request
}

// Read hands on what the body gives.
func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.watch.moved()
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.watch.explain(err)
	}
	return n, err
}

// Close closes the body.
func (b *watchedBody) Close() error {
	err := b.ReadCloser.Close()
	if b.last {
		b.watch.stop()
	}
	return err
}
