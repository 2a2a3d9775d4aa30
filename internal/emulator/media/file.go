package mediaemu

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Content is what is in a file. The zero value is empty.
type Content struct {
	bytes []byte
	seed  uint64
	size  int64
}

// Bytes is content that is there.
func Bytes(b []byte) Content { return Content{bytes: b, size: int64(len(b))} }

// Generated is content without meaning that is made whenever it is sent, so that 100 MB cost no memory.
func Generated(seed uint64, size int64) Content { return Content{seed: seed, size: size} }

// Size is the length in bytes.
func (c Content) Size() int64 { return c.size }

// Reader reads the content from its beginning.
func (c Content) Reader() io.Reader {
	if c.bytes != nil {
		return bytes.NewReader(c.bytes)
	}
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], c.seed)
	return io.LimitReader(rand.NewChaCha8(seed), c.size)
}

// Access is who may read a file.
type Access int

// The kinds of access.
const (
	Open      Access = iota
	Signed403        // answers 403 without a valid signature
	Signed401        // answers 401 without a valid signature
	Denied           // answers 403, signed or not
)

// Redirect is where a host sends those who may read a file.
type Redirect int

// The kinds of redirects.
const (
	NoRedirect        Redirect = iota
	RedirectWithin             // to another path of the host, Spec.Hops times
	RedirectOffList            // to OffListURL
	RedirectLinkLocal          // to 169.254.0.23
	RedirectLoop               // to itself
)

// Stall is where an answer stops until the client leaves.
type Stall int

// The kinds of stalls.
const (
	NoStall      Stall = iota
	StallBefore        // nothing comes
	StallHeaders       // the headers come, no body
	StallBody          // half of the body comes
)

// Trouble is what goes wrong with an answer that would have been the file. One of its fields beside Times is set.
type Trouble struct {
	Times int // 0 means once, negative always

	Status int   // answered instead: 500, 503, 429
	Reset  bool  // the connection ends without an answer
	Cut    bool  // half of the body, then the connection ends; a body of 0 bytes cannot be cut
	Stall  Stall // until the client leaves
}

// Spec is a file before it has a URL: what is in it, and how it behaves. All fields can be combined; they apply in the
// order in which they stand here.
type Spec struct {
	Content Content
	Type    string // Content-Type, whatever the content is; none if empty
	Name    string // that its URL ends in; a picture's URL, without a name and with "?imageMogr2/", if empty

	Access     Access
	Banned     bool // its signature comes with status 1; it opens all the same
	Unsignable bool // get_cos_sig has an error for it and no URL
	Missing    bool // it never was there, and a signature says status 2
	ExpiresAt  time.Time
	GoneStatus int // answered for a file that is not there (any more): 404 (also for 0) or 410
	Redirect   Redirect
	Hops       int       // of RedirectWithin, 1 if 0
	Troubles   []Trouble // one after the other, each as often as it says
	Chunked    bool      // no Content-Length
	SlowBody   time.Duration
	SetsCookie bool // that nobody may send back
}

// File is a file of a host.
type File struct {
	Spec

	server *Server
	path   string // escaped
	query  string
	sha256 func() string

	// Guarded by the server.
	count  int // requests
	served int // answers that were the file, or a trouble in its place
}

// mixed is a number that depends on n alone and looks random (splitmix64).
func mixed(n uint64) uint64 {
	n += 0x9E3779B97F4A7C15
	n = (n ^ n>>30) * 0xBF58476D1CE4E5B9
	n = (n ^ n>>27) * 0x94D049BB133111EB
	return n ^ n>>31
}

// newFile gives the n-th file a URL like those of the real hosts: bucket, app, user, and 32 digits.
func newFile(s *Server, spec Spec, n int) *File {
	f := &File{Spec: spec, server: s}
	a, b := mixed(uint64(n)), mixed(^uint64(n)) //nolint:gosec // any 64 bits will do
	f.path = fmt.Sprintf("/%04x-1400000000/%04x-user%d/%016x%016x", a>>48, b>>48, a%7, a, b)
	if spec.Name == "" {
		f.query = "imageMogr2/"
	} else {
		f.path += "-" + url.PathEscape(spec.Name)
	}
	f.sha256 = sync.OnceValue(func() string {
		h := sha256.New()
		_, _ = io.Copy(h, spec.Content.Reader()) // neither of them fails
		return hex.EncodeToString(h.Sum(nil))
	})
	return f
}

// URL is the file's URL as a message has it.
func (f *File) URL() string {
	u := f.server.baseURL() + f.path
	if f.query != "" {
		u += "?" + f.query
	}
	return u
}

// Size is the length of the file in bytes.
func (f *File) Size() int64 { return f.Content.Size() }

// SHA256 is the hash of the file's content, in hex.
func (f *File) SHA256() string { return f.sha256() }

// Available reports whether a patient client that asks for signatures could have the file at a time: it is there, may be
// read, is where the client may go, and no trouble lasts for ever.
func (f *File) Available(at time.Time) bool {
	signed := f.Access == Signed403 || f.Access == Signed401
	switch {
	case !f.there(at), f.Access == Denied, signed && f.Unsignable:
		return false
	case f.Redirect != NoRedirect && f.Redirect != RedirectWithin:
		return false
	}
	for _, t := range f.Troubles {
		if t.Times < 0 {
			return false
		}
	}
	return true
}

func (f *File) there(at time.Time) bool {
	return !f.Missing && (f.ExpiresAt.IsZero() || at.Before(f.ExpiresAt))
}

func (f *File) goneStatus() int {
	if f.GoneStatus == 0 {
		return http.StatusNotFound
	}
	return f.GoneStatus
}

// trouble returns what the n-th answer, from 1, has in place of the file.
func (f *File) trouble(n int) Trouble {
	for _, t := range f.Troubles {
		times := t.Times
		if times == 0 {
			times = 1
		}
		if times < 0 || n <= times {
			return t
		}
		n -= times
	}
	return Trouble{}
}
