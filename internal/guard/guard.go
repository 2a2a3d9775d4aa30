// Package guard holds clients back that carry credentials.
//
// It owns what the SDKs leave to chance: no redirect is followed, no answer is read without end, no connection is waited for
// on which nothing moves, and no error repeats a URL. It must never know whose client it is, or start anything.
package guard

import (
	"io"
	"net/http"
)

// Transport makes requests that carry credentials. It is as safe for concurrent use as Next.
type Transport struct {
	Next http.RoundTripper
	// Limit is the most that may be read of an answer's body, in bytes. What is longer ends there, as if it had been cut on
	// its way.
	Limit func(*http.Response) int64
}

// RoundTrip implements http.RoundTripper. An answer that redirects has lost where to: a client that followed would show
// its token to another host, and take a stranger's answer for the service's.
func (t Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.Next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode/100 == http.StatusMultipleChoices/100 {
		response.Header.Del("Location")
	}
	response.Body = body{io.LimitReader(response.Body, t.Limit(response)), response.Body}
	return response, nil
}

// CloseIdleConnections is what http.Client's method of this name looks for.
func (t Transport) CloseIdleConnections() {
	if pool, ok := t.Next.(interface{ CloseIdleConnections() }); ok {
		pool.CloseIdleConnections()
	}
}

type body struct {
	io.Reader
	io.Closer
}
