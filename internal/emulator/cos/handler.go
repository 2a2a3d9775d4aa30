package cosemu

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"chatexport/internal/emulator/loopback"
)

const (
	crcHeader       = "x-cos-hash-crc64ecma"
	requestIDHeader = "x-cos-request-id"
	versionHeader   = "x-cos-version-id"
)

// ServeHTTP answers one request of the COS API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	arrived := s.opts.Now()
	b := s.bucketOf(r.Host)
	req := describe(r, b)
	req.N = s.journal.arrive(req)
	fault := s.faultOf(req)
	a := &answer{ResponseWriter: w, requestID: randomHex(12), fault: fault}
	a.Header().Set("Date", arrived.UTC().Format(http.TimeFormat))
	a.Header().Set("Server", "tencent-cos")
	a.Header().Set(requestIDHeader, a.requestID)
	a.record = func() {
		s.journal.finish(Record{
			Time: arrived, Op: req.Op, Method: req.Method, Bucket: req.Bucket, Key: req.Key, Query: req.Query, N: req.N,
			Status: a.status, Code: a.code, Fault: *fault != Fault{},
		})
	}
	defer a.log()
	if !loopback.Pause(r.Context(), s.opts.Latency+fault.Delay) || interrupt(a, r, fault) {
		return
	}
	if err := s.route(a, r, b, req, fault); err != nil {
		a.writeError(r, err)
	}
	s.afterwards(a, r, fault)
}

// describe says what a request asks for. Unknown things are OpUnsupported.
func describe(r *http.Request, b *bucket) *Request {
	req := &Request{Method: r.Method, Key: strings.TrimPrefix(r.URL.Path, "/"), Header: r.Header.Clone()}
	req.Header.Del("Authorization")
	req.Header.Del(tokenName)
	if b != nil {
		req.Bucket = b.name
	}
	query := r.URL.Query()
	for name := range query {
		if name == "sign" || name == tokenName || strings.HasPrefix(name, "q-") {
			query.Del(name)
		}
	}
	req.Query = query.Encode()
	req.Op = classify(req, query)
	return req
}

func classify(req *Request, query url.Values) Op {
	only := func(names ...string) bool {
		for name := range query {
			if !slices.Contains(names, name) {
				return false
			}
		}
		return true
	}
	if req.Key != "" {
		switch {
		case len(query) > 0 || req.Header.Get("x-cos-copy-source") != "":
			return OpUnsupported
		case req.Method == http.MethodPut:
			return OpPut
		case req.Method == http.MethodGet:
			return OpGet
		case req.Method == http.MethodHead:
			return OpHead
		case req.Method == http.MethodDelete:
			return OpDelete
		}
		return OpUnsupported
	}
	switch {
	case req.Method == http.MethodHead && len(query) == 0:
		return OpHeadBucket
	case req.Method == http.MethodGet && only("prefix", "delimiter", "marker", "max-keys", "encoding-type"):
		return OpList
	case req.Method == http.MethodGet && query.Has("versioning") && only("versioning"):
		return OpGetVersioning
	case req.Method == http.MethodPut && query.Has("versioning") && only("versioning"):
		return OpPutVersioning
	case req.Method == http.MethodPost && query.Has("delete") && only("delete"):
		return OpDeleteMulti
	}
	return OpUnsupported
}

// route does the work. A returned error is still to be answered.
func (s *Server) route(a *answer, r *http.Request, b *bucket, req *Request, fault *Fault) *apiError {
	if b == nil {
		return newError(http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist.")
	}
	if err := s.authenticate(r); err != nil {
		return err
	}
	if req.Key != "" {
		if err := checkKey(req.Key); err != nil {
			return err
		}
	}
	switch req.Op {
	case OpPut:
		return s.put(a, r, b, req.Key, fault)
	case OpGet, OpHead:
		return s.get(a, r, b, req, fault)
	case OpDelete:
		if err := b.remove(r.Context(), req.Key); err != nil {
			return internalError(err)
		}
		a.WriteHeader(http.StatusNoContent)
	case OpList:
		return s.list(a, r, b)
	case OpDeleteMulti:
		return s.deleteMulti(a, r, b)
	case OpHeadBucket:
		a.WriteHeader(http.StatusOK)
	case OpGetVersioning:
		return getVersioning(a, b)
	case OpPutVersioning:
		return putVersioning(a, r, b)
	case OpUnsupported:
		return notImplemented(r.Method + " " + r.URL.Path + "?" + req.Query)
	}
	return nil
}

// interrupt applies the faults that keep the work from being done.
func interrupt(a *answer, r *http.Request, f *Fault) bool {
	switch {
	case f.Hang:
		_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice that the client goes
		<-r.Context().Done()
		a.reset()
	case f.Reset:
		_, _ = io.CopyN(io.Discard, r.Body, f.ResetAfter)
		a.reset()
	case f.Status != 0 && !f.AfterWork:
		if f.Early {
			a.Header().Set("Connection", "close")
		} else {
			_, _ = io.Copy(io.Discard, r.Body) // a body cut short changes nothing
		}
		a.writeError(r, newError(f.Status, f.Code, f.Message))
	default:
		return false
	}
	return true
}

// afterwards replaces the truth that the work produced, which answer held back.
func (s *Server) afterwards(a *answer, r *http.Request, f *Fault) {
	if !a.held() {
		return
	}
	if f.LoseAnswer {
		a.reset()
		return
	}
	a.release()
	a.writeError(r, newError(f.Status, f.Code, f.Message))
}
