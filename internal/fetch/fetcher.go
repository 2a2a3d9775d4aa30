// Package fetch fetches the files that messages refer to.
//
// It owns from where a file may be fetched, what is tried again and how often, and the temporary files that hold the bytes
// until they are stored. It must never make a request to a host off its list, dial an address that is not public for a
// name that is not Tencent's, leave a file behind, or let a URL into an error or a log: a URL is a message's content, and
// a signed one opens the file to whoever has it. It knows no archive: whether a file is waited for, and what becomes of
// it, others decide.
package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"chatexport/internal/chat"
	"chatexport/internal/config"
	"chatexport/internal/guard"
	"chatexport/internal/objstore"
	"chatexport/internal/panics"
	"chatexport/internal/retry"
)

const (
	// signatures is how many URLs are signed in one call (Signer).
	signatures = 20

	dialTimeout = 5 * time.Second // for a connection, its name's lookup included
)

// Signer asks the service for signed URLs of 1 to 20 files, one attempt a call; the class of its errors says what may
// follow (retry.ClassOf). The answers are in the order of urls. It is safe for concurrent use.
type Signer interface {
	Signatures(ctx context.Context, urls []string) ([]chat.Signature, error)
}

// Config is what a Fetcher needs. Zero values stand for the defaults.
type Config struct {
	Hosts    config.Hosts // that files may be fetched from beside Tencent's own (MEDIA_HOSTS)
	Loopback bool         // this machine may be among them, and is spoken to over plain http where the link says so
	MaxBytes int64        // of a file (MEDIA_MAX_BYTES); 100 MB

	Dir       string // of the temporary files; os.TempDir()
	UserAgent string // "chatexport"

	HeaderTimeout time.Duration // an answer that has not begun by then is given up, 10 s
	StallTimeout  time.Duration // a try that moves no byte for this long is given up, 15 s
	Retry         retry.Policy  // all tries of one URL; 3, first wait up to 500 ms, no wait above 5 s

	Resolver *net.Resolver  // nil: the system's
	Dial     guard.Dialer   // replaces the network, for tests in virtual time; nil otherwise
	Proxy    guard.Proxy    // for operators' machines; nil in the function
	RootCAs  *x509.CertPool // nil: the system's
	Log      zerolog.Logger
}

func (c *Config) setDefaults() {
	orDefault(&c.MaxBytes, 100<<20)
	orDefault(&c.Dir, os.TempDir())
	orDefault(&c.UserAgent, "chatexport")
	orDefault(&c.HeaderTimeout, 10*time.Second)
	orDefault(&c.StallTimeout, 15*time.Second)
	orDefault(&c.Retry.Attempts, 3)
	orDefault(&c.Retry.Base, 500*time.Millisecond)
	orDefault(&c.Retry.Cap, 5*time.Second)
}

func orDefault[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}

// Fetcher fetches files, for a whole process. It is safe for concurrent use.
type Fetcher struct {
	cfg       Config
	tencent   config.Hosts
	signer    Signer
	caller    *retry.Caller
	transport *http.Transport
	slots     chan struct{} // one is held by each file that takes room on the disk
}

// New returns a fetcher, and removes temporary files that a killed process has left. The caller makes the calls of
// signer.
func New(cfg Config, signer Signer, caller *retry.Caller) *Fetcher {
	cfg.setDefaults()
	clean(cfg.Dir)
	f := &Fetcher{
		cfg: cfg, tencent: tencentHosts(), signer: signer, caller: caller,
		slots: make(chan struct{}, config.FilesAtOnce(cfg.MaxBytes)),
	}
	// Used without an http.Client, which would follow redirects, and tell in a Referer where it came from. The function has no
	// proxy: it would look names up, and dial, without our rules. On an operator's machine no neighbour trusts the function.
	f.transport = guard.NewPool(cap(f.slots), cfg.StallTimeout, f.dial)
	f.transport.Proxy = cfg.Proxy
	f.transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.RootCAs}
	f.transport.ResponseHeaderTimeout = cfg.HeaderTimeout
	f.transport.DisableCompression = true // a file is what is served, not what that can be unpacked to
	return f
}

// For returns the same fetcher for another piece of work, whose caller counts the calls.
func (f *Fetcher) For(caller *retry.Caller) *Fetcher {
	other := *f
	other.caller = caller
	return &other
}

// CloseIdleConnections drops connections that may have died while the process was frozen. Call it when an invocation
// begins.
func (f *Fetcher) CloseIdleConnections() { f.transport.CloseIdleConnections() }

// Link is a reference to a file.
type Link struct {
	URL  string // as it stands in the message
	Size int64  // as the message says, in bytes; 0 if it says none
}

// Done is told what became of the i-th link: a file, or an error that is a *Failure. The file is gone when it returns. It
// is called from several goroutines at the same time, once for each link that was begun.
type Done func(ctx context.Context, i int, file *File, err error)

// Fetch fetches the files of links, begun in their order, several side by side under one bound for the whole process; done
// is told of each as it ends, from the goroutine that fetched it. No link is begun after soft: done is not told of those.
// What is under way ends with ctx, as too slow. The error is one of this program: a panic, after which done is told of
// nothing more.
func (f *Fetcher) Fetch(ctx context.Context, soft time.Time, links []Link, done Done) error {
	group, inner := errgroup.WithContext(ctx)
	r := newRound(f, soft, links, func(i int, file *File, err error) {
		if inner.Err() == nil || ctx.Err() != nil {
			done(inner, i, file, err)
		}
	})
	defer r.timer.Stop()
	for range min(cap(f.slots), len(links)) {
		group.Go(func() error {
			return panics.Logged(f.cfg.Log, func() error { r.work(inner); return nil })
		})
	}
	return group.Wait()
}

// File is a file that came whole.
type File struct {
	SHA256 string // 64 lower-case hex digits
	Size   int64
	Type   string    // as served: a MIME type of at most 100 bytes
	Short  bool      // it came twice with this size, which is not what the message says
	Began  time.Time // when the first try began

	content objstore.File
}

// Write returns the file as a new object. A stranger's type must not become the object's.
func (f *File) Write() objstore.Write {
	return objstore.Write{File: &f.content, ContentType: DefaultType}
}
