package fetch_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/config"
	"chatexport/internal/fetch"
	"chatexport/internal/retry"
)

const (
	tencent = "archive-1250000000.cos.ap-shanghai.myqcloud.com"
	listed  = "files.example.com"  // by the operator
	secret  = "q-signature=5ec2e7" // stands in every URL that no error may repeat
)

// site is a server under all names, and a name server that says so.
type site struct {
	*httptest.Server

	port  string
	roots *x509.CertPool

	mu       sync.Mutex
	requests []string          // host and path
	at       map[string]string // addresses of names, where that is not this machine
}

func newSite(t *testing.T, handler http.HandlerFunc) *site {
	t.Helper()
	s := &site{roots: x509.NewCertPool(), at: map[string]string{}}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r.Host[:strings.LastIndexByte(r.Host, ':')]+r.URL.Path)
		s.mu.Unlock()
		handler(w, r)
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{s.certificate(t)}, MinVersion: tls.VersionTLS12}
	s.Config.ErrorLog = nil
	s.StartTLS()
	t.Cleanup(s.Close)
	_, s.port, _ = net.SplitHostPort(s.Listener.Addr().String())
	return s
}

func (s *site) certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		DNSNames: []string{tencent, "cn.imrich.qcloud.com", listed, "localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	s.roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// link is the URL of a path below one of the site's names.
func (s *site) link(name, path string) string {
	return "https://" + name + ":" + s.port + path + "?" + secret
}

func (s *site) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// resolver answers questions for IPv4 addresses.
func (s *site) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			defer func() { _ = far.Close() }()
			for err := error(nil); err == nil; {
				err = s.answer(far)
			}
		}()
		return near, nil
	}}
}

func (s *site) answer(c net.Conn) error {
	var length [2]byte
	if _, err := io.ReadFull(c, length[:]); err != nil {
		return err
	}
	query := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(c, query); err != nil {
		return err
	}
	var labels []string
	at := 12
	for ; query[at] != 0; at += 1 + int(query[at]) {
		labels = append(labels, string(query[at+1:at+1+int(query[at])]))
	}
	question := query[12 : at+5]
	reply := slices.Concat(query[:2], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question)
	if question[len(question)-3] == 1 { // A
		s.mu.Lock()
		address, ok := s.at[strings.Join(labels, ".")]
		s.mu.Unlock()
		if !ok {
			address = "127.0.0.1"
		}
		reply[7] = 1
		reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		reply = append(reply, netip.MustParseAddr(address).AsSlice()...)
	}
	_, err := c.Write(slices.Concat(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply))
	return err
}

// signer is what signs, and what it was asked.
type signer struct {
	sign func(url string) chat.Signature
	fail error

	mu    sync.Mutex
	calls [][]string
}

func (s *signer) Signatures(_ context.Context, urls []string) ([]chat.Signature, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, urls)
	if s.fail != nil {
		return nil, s.fail
	}
	answers := make([]chat.Signature, len(urls))
	for i, url := range urls {
		if s.sign != nil {
			answers[i] = s.sign(url)
		}
	}
	return answers, nil
}

// fetcher returns a fetcher that reaches the site, with waits short enough for tests.
func (s *site) fetcher(t *testing.T, sign *signer, change func(*fetch.Config)) *fetch.Fetcher {
	t.Helper()
	cfg := fetch.Config{
		Hosts: config.Hosts{listed}, MaxBytes: 1 << 20, Dir: t.TempDir(),
		Retry: retry.Policy{Base: time.Millisecond, Cap: time.Millisecond}, Resolver: s.resolver(), RootCAs: s.roots,
	}
	if change != nil {
		change(&cfg)
	}
	t.Cleanup(func() { checkEmpty(t, cfg.Dir) })
	if sign == nil {
		sign = &signer{fail: errors.New("nothing is to be signed here")}
	}
	f := fetch.New(cfg, sign, &retry.Caller{Limiter: retry.NewLimiter(1e6), Policy: retry.Policy{Attempts: 1}})
	t.Cleanup(f.CloseIdleConnections)
	return f
}

func checkEmpty(t *testing.T, dir string) {
	t.Helper()
	there, err := os.ReadDir(dir)
	if err != nil || len(there) > 0 {
		t.Errorf("temporary files are left: %v, %v", there, err)
	}
}

// outcome is what done was told of a link.
type outcome struct {
	file    *fetch.File
	failure *fetch.Failure
	body    string
}

// fetch fetches links and returns what became of those that were begun.
func bring(t *testing.T, f *fetch.Fetcher, links ...fetch.Link) map[int]outcome {
	t.Helper()
	return fetchUntil(t.Context(), t, f, time.Now().Add(time.Hour), links...)
}

func fetchUntil(ctx context.Context, t *testing.T, f *fetch.Fetcher, soft time.Time, links ...fetch.Link) map[int]outcome {
	t.Helper()
	var mu sync.Mutex
	outcomes := map[int]outcome{}
	err := f.Fetch(ctx, soft, links, func(_ context.Context, i int, file *fetch.File, err error) {
		o := outcome{file: file}
		if file != nil {
			body, readErr := io.ReadAll(file.Write().File.Reader())
			if readErr != nil {
				t.Errorf("read of a file: %v", readErr)
			}
			o.body = string(body)
		}
		if err != nil {
			o.failure, _ = errors.AsType[*fetch.Failure](err)
			checkClean(t, err)
		}
		mu.Lock()
		defer mu.Unlock()
		if _, told := outcomes[i]; told || (file == nil) == (err == nil) || err != nil && o.failure == nil {
			t.Errorf("link %d: %v, %v, told before: %t", i, file, err, told)
		}
		outcomes[i] = o
	})
	if err != nil {
		t.Errorf("fetch: %v", err)
	}
	return outcomes
}

// checkClean fails the test if an error, in whatever way it is printed, repeats a URL.
func checkClean(t *testing.T, err error) {
	t.Helper()
	for layer := err; layer != nil; layer = errors.Unwrap(layer) {
		for _, text := range []string{layer.Error(), fmt.Sprintf("%v", layer), fmt.Sprintf("%+v", layer), fmt.Sprintf("%#v", layer)} {
			if strings.Contains(text, "signature") || strings.Contains(text, "://") {
				t.Errorf("error repeats a URL: %s", text)
			}
		}
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		t.Errorf("error still holds a URL: %v", e.Op)
	}
}

// String is what the tables compare: a body, or state, code, and whether it may pass.
func (o outcome) String() string {
	switch {
	case o.failure == nil && o.file.Short:
		return o.body + ", short"
	case o.failure == nil:
		return o.body
	case o.failure.Passing:
		return fmt.Sprintf("%s %s, passing", o.failure.State, o.failure.Code)
	default:
		return fmt.Sprintf("%s %s", o.failure.State, o.failure.Code)
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}
