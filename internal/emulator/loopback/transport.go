package loopback

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// errReset is what a round trip returns where TCP would have reset the connection.
var errReset = errors.New("connection reset by the emulator")

// Transport calls a handler without sockets, so that tests in a testing/synctest bubble need no real time. Answers
// arrive whole.
func Transport(h http.Handler) http.RoundTripper { return memoryTransport{h} }

type memoryTransport struct{ handler http.Handler }

func (t memoryTransport) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	served := r.Clone(r.Context())
	if served.Host == "" {
		served.Host = r.URL.Host
	}
	served.RemoteAddr = "127.0.0.1:0"
	w := &memoryWriter{header: make(http.Header)}
	ended := w.serve(t.handler, served)
	if err := r.Body.Close(); err != nil {
		return nil, fmt.Errorf("close the request's body: %w", err)
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if ended != nil && w.status == 0 {
		return nil, ended
	}
	body := io.Reader(&w.body)
	if length := w.header.Get("Content-Length"); length != "" && length != strconv.Itoa(w.body.Len()) {
		body = io.MultiReader(body, brokenReader{})
	}
	return &http.Response{
		StatusCode: w.status, Status: strconv.Itoa(w.status) + " " + http.StatusText(w.status),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(body), ContentLength: -1, Request: r,
	}, nil
}

// memoryWriter keeps an answer.
type memoryWriter struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// serve runs the handler; what net/http does with its panics is done here.
func (w *memoryWriter) serve(h http.Handler, r *http.Request) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if p != http.ErrAbortHandler { //nolint:errorlint // a panic value, compared as net/http does
				panic(p)
			}
			err = errReset
		}
	}()
	h.ServeHTTP(w, r)
	if w.status == 0 {
		return errReset
	}
	return nil
}

func (w *memoryWriter) Header() http.Header { return w.header }

func (w *memoryWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *memoryWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

// Flush does nothing: the answer is kept until it is whole.
func (w *memoryWriter) Flush() {}

// brokenReader is where a body breaks off.
type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
