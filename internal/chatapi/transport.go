package chatapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/guard"
)

// newTransport makes the client's own pool. Go's default of two idle connections a host would open a new one for
// nearly every call. There is no proxy: the only egress of a function is its own network, and a proxy would see the
// UserSig of a plain-text loopback call. HTTP/1.1 is what the service documents.
func newTransport(connections int, dial func(ctx context.Context, network, address string) (net.Conn, error)) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	if dial == nil {
		dial = (&net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}).DialContext
	}
	return &http.Transport{
		DialContext:            dial,
		TLSHandshakeTimeout:    dialTimeout,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		MaxIdleConns:           connections,
		MaxIdleConnsPerHost:    connections,
		MaxConnsPerHost:        connections,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: 64 << 10,
		Protocols:              &protocols,
	}
}

// stayPut keeps a redirect from carrying the UserSig to another host.
func stayPut(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// readAnswer reads a body to its end, so that the connection can serve the next call, but not beyond the limit. told is
// the length that the header tells, negative if it does not. It is a hint that spares a buffer which grows again and
// again: a wrong one costs memory or time, within the limit.
func readAnswer(body io.Reader, told int64) ([]byte, error) {
	body = io.LimitReader(body, maxAnswer+1)
	var answer []byte
	var err error
	if told > 0 && told <= maxAnswer {
		buffer := bytes.NewBuffer(make([]byte, 0, told+bytes.MinRead)) // so much room ReadFrom wants to see the end
		_, err = buffer.ReadFrom(body)
		answer = buffer.Bytes()
	} else {
		answer, err = io.ReadAll(body)
	}
	if err != nil {
		return nil, err
	}
	if len(answer) > maxAnswer {
		return nil, fmt.Errorf("%w: more than %d bytes", chat.ErrMalformed, maxAnswer)
	}
	return answer, nil
}

// callerCause describes a context that the caller has ended.
func callerCause(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == nil || errors.Is(err, cause) {
		return err
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// connectionCause keeps of a transport's error what is safe to print.
func connectionCause(err error) error {
	if errors.Is(err, chat.ErrMalformed) {
		return err // our own: readAnswer
	}
	return guard.Cause(err)
}
