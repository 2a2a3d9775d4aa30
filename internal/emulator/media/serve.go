package mediaemu

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"chatexport/internal/emulator/loopback"
)

// piece is the most of a body that is sent at once, in bytes.
const piece = 32 << 10

// exchange is one request on its way through the server.
type exchange struct {
	w     http.ResponseWriter
	r     *http.Request
	note  *Request
	sig   signature
	moved int // redirects that are left, -1 for a request that was not redirected
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !loopback.Is(r.RemoteAddr) {
		http.Error(w, "the emulator serves loopback only", http.StatusForbidden)
		return
	}
	x := &exchange{w: w, r: r}
	now := s.opts.Now()
	x.note = &Request{At: now, Method: r.Method, Host: r.Host, Path: r.URL.EscapedPath(), Header: r.Header.Clone()}
	x.note.Query, x.sig = s.verify(r.URL, now)
	offList := !strings.HasSuffix(s.baseURL(), "//"+r.Host)
	if !offList {
		x.note.file, x.moved = s.find(r.URL.EscapedPath())
	}
	s.begin(x.note, x.sig, offList)
	defer s.end(x.note, 0)
	if !loopback.Pause(r.Context(), s.opts.Latency) {
		return
	}
	switch f := x.note.file; {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		s.refuse(x, http.StatusMethodNotAllowed, "MethodNotAllowed")
	case offList:
		s.refuse(x, http.StatusOK, "NeverToBeArchived")
	case f == nil:
		s.refuse(x, http.StatusNotFound, "NoSuchKey")
	default:
		s.file(r.Context(), x, f, now)
	}
}

// file answers for a file, in the order of Spec's fields.
func (s *Server) file(ctx context.Context, x *exchange, f *File, now time.Time) {
	redirected := x.moved >= 0 // who may read was asked before
	switch {
	case redirected:
	case x.sig == badSignature, f.Access == Denied, f.Access == Signed403 && x.sig != validSignature:
		s.refuse(x, http.StatusForbidden, "AccessDenied")
		return
	case f.Access == Signed401 && x.sig != validSignature:
		s.refuse(x, http.StatusUnauthorized, "Unauthorized")
		return
	}
	if !f.there(now) {
		s.refuse(x, f.goneStatus(), "NoSuchKey")
		return
	}
	if to := s.redirect(x, f); to != "" {
		x.w.Header().Set("Location", to)
		s.refuse(x, http.StatusFound, "Found")
		return
	}
	s.mu.Lock()
	f.served++
	t := f.trouble(f.served)
	s.mu.Unlock()
	switch {
	case t.Reset:
		s.end(x.note, 0)
		panic(http.ErrAbortHandler)
	case t.Status != 0:
		s.refuse(x, t.Status, "Trouble")
	case t.Stall == StallBefore:
		<-ctx.Done()
	default:
		s.body(ctx, x, f, t)
	}
}

// redirect returns where a request is sent on to, "" if it is not.
func (s *Server) redirect(x *exchange, f *File) string {
	switch f.Redirect {
	case RedirectOffList:
		return s.OffListURL("moved" + f.path)
	case RedirectLinkLocal:
		return linkLocalURL
	case RedirectLoop:
		return x.r.URL.RequestURI()
	case RedirectWithin:
		left := x.moved
		if left < 0 {
			left = max(f.Hops, 1)
		}
		if left > 0 {
			return s.baseURL() + movedPrefix + strconv.Itoa(left-1) + f.path
		}
	case NoRedirect:
	}
	return ""
}

// refuse answers without the file, as COS does.
func (s *Server) refuse(x *exchange, status int, code string) {
	body := fmt.Sprintf("<?xml version='1.0' encoding='utf-8' ?>\n<Error>\n\t<Code>%s</Code>\n</Error>\n", code)
	header := x.w.Header()
	header.Set("Content-Type", "application/xml")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	s.sending(x.note, len(body))
	s.end(x.note, status)
	x.w.WriteHeader(status)
	_, _ = io.WriteString(x.w, body) // a client that left meanwhile is none of ours
}

// body sends the file, or as much of it as a trouble lets through.
func (s *Server) body(ctx context.Context, x *exchange, f *File, t Trouble) {
	header := x.w.Header()
	header["Content-Type"] = nil // none, and no guess either
	if f.Type != "" {
		header.Set("Content-Type", f.Type)
	}
	if f.SetsCookie {
		header.Set("Set-Cookie", "session=never-to-be-sent-back; Path=/")
	}
	if !f.Chunked {
		header.Set("Content-Length", strconv.FormatInt(f.Size(), 10))
	}
	upTo := f.Size()
	switch {
	case t.Cut, t.Stall == StallBody:
		upTo /= 2
	case t.Stall == StallHeaders:
		upTo = 0
	}
	if x.r.Method == http.MethodHead {
		s.end(x.note, http.StatusOK)
		return
	}
	flush := http.NewResponseController(x.w).Flush
	if upTo == f.Size() && upTo == 0 {
		s.end(x.note, http.StatusOK)
	}
	x.w.WriteHeader(http.StatusOK)
	if f.Chunked || upTo < f.Size() {
		_ = flush() // else a short body would get a Content-Length; a client that left is seen below
	}
	if !s.send(ctx, x, f, upTo) {
		return
	}
	switch {
	case t.Stall != NoStall:
		_ = flush() // a client that left ends the wait
		<-ctx.Done()
	case t.Cut && upTo < f.Size():
		s.end(x.note, http.StatusOK)
		_ = flush() // the connection ends anyway
		panic(http.ErrAbortHandler)
	}
}

// send sends the first bytes of a file, over SlowBody; false when the client left.
func (s *Server) send(ctx context.Context, x *exchange, f *File, upTo int64) bool {
	const slowPieces = 8
	content, size := f.Content.Reader(), f.Size()
	step := int64(piece)
	if f.SlowBody > 0 {
		step = min(step, size/slowPieces+1)
	}
	buf := make([]byte, min(step, upTo))
	for sent := int64(0); sent < upTo; {
		n, _ := io.ReadFull(content, buf[:min(step, upTo-sent)]) // it does not fail before its size
		if f.SlowBody > 0 {
			pause := time.Duration(float64(f.SlowBody) * float64(n) / float64(size))
			if http.NewResponseController(x.w).Flush() != nil || !loopback.Pause(ctx, pause) {
				return false
			}
		}
		s.sending(x.note, n)
		if sent += int64(n); sent == size {
			s.end(x.note, http.StatusOK)
		}
		if _, err := x.w.Write(buf[:n]); err != nil {
			return false
		}
	}
	return true
}
