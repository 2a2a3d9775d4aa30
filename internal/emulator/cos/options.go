package cosemu

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Versioning is the versioning status of a bucket.
type Versioning string

// The three states of a bucket. A bucket never goes back to VersioningNever.
const (
	VersioningNever     Versioning = ""
	VersioningEnabled   Versioning = "Enabled"
	VersioningSuspended Versioning = "Suspended"
)

// Bucket is a bucket that exists when the server opens.
type Bucket struct {
	Name       string     // name-appid, such as examplebucket-1250000000
	Versioning Versioning // when not VersioningNever it replaces the stored status
}

// Credential is what one secret id may sign with.
type Credential struct {
	SecretKey string
	Token     string    // when set, requests must carry and sign it
	Expires   time.Time // when set, later requests get ExpiredToken
}

// Options configure a Server. The zero value of every field but Root, Buckets and Credentials is usable.
type Options struct {
	Root    string   // folder of the buckets; made if missing. One server at a time.
	Buckets []Bucket // those that exist
	// Credentials finds the credential of a secret id. It is called for every request, by many goroutines.
	Credentials func(secretID string) (Credential, bool)
	// Lax accepts requests that leave the host or an x-cos-* header out of the signature, as a bucket without COS's
	// strict mode does.
	Lax bool
	// Addr is where Start listens; "127.0.0.1:0" when empty. Anything but a loopback address is refused.
	Addr string

	Now     func() time.Time // clock of Date, Last-Modified and the lags below; time.Now when nil
	AuthNow func() time.Time // clock of signatures and tokens; time.Now when nil, since the SDK signs with that

	Latency   time.Duration // added to every answer
	ListLag   time.Duration // how long a new key is missing from listings
	StaleFor  time.Duration // how long GET and HEAD show what an overwrite replaced
	AbsentFor time.Duration // how long HEAD answers 404 for a new key

	ListMax int       // most keys of a listing's page, whatever was asked for; COS's 1000 when 0
	Fault   FaultFunc // see SetFault
	LogSize int       // most requests kept for Log; 10000 when 0
}

// StaticCredential is a Credentials function that knows one secret id.
func StaticCredential(secretID string, c Credential) func(string) (Credential, bool) {
	return func(id string) (Credential, bool) { return c, id == secretID }
}

func (o *Options) check() error {
	if o.Root == "" {
		return errors.New("cos emulator: a root folder is required")
	}
	if o.Credentials == nil {
		return errors.New("cos emulator: credentials are required")
	}
	for _, b := range o.Buckets {
		if !validBucket(b.Name) {
			return fmt.Errorf("cos emulator: bucket %q must be <name>-<appid>", b.Name)
		}
		switch b.Versioning {
		case VersioningNever, VersioningEnabled, VersioningSuspended:
		default:
			return fmt.Errorf("cos emulator: bucket %s: unknown versioning status %q", b.Name, b.Versioning)
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.AuthNow == nil {
		o.AuthNow = time.Now
	}
	if o.ListMax <= 0 || o.ListMax > maxListKeys {
		o.ListMax = maxListKeys
	}
	if o.LogSize <= 0 {
		o.LogSize = 10000
	}
	return nil
}

// Op names what a request asks for.
type Op string

// The calls that the emulator knows; OpUnsupported is everything else and gets 501.
const (
	OpPut           Op = "put"
	OpGet           Op = "get"
	OpHead          Op = "head"
	OpDelete        Op = "delete"
	OpList          Op = "list"
	OpDeleteMulti   Op = "delete-multi"
	OpHeadBucket    Op = "head-bucket"
	OpGetVersioning Op = "get-versioning"
	OpPutVersioning Op = "put-versioning"
	OpUnsupported   Op = "unsupported"
)

// Request is what a FaultFunc decides by.
type Request struct {
	Op     Op
	Method string
	Bucket string
	Key    string // empty for calls on the bucket
	Query  string // raw, without signature and token
	N      int    // counts the requests with this Op and Key, from 1
	Header http.Header
}

// FaultFunc chooses the fault of one request, nil for none. It is called by many goroutines, and must not close the
// server, which waits for it.
type FaultFunc func(*Request) *Fault

// Fault makes one request go wrong. The zero Fault does nothing. Where several fields are set they apply in this order:
// Delay, Hang, ResetAfter, Status; then the work is done as the remaining fields say.
type Fault struct {
	Delay time.Duration // waits before anything else
	Hang  bool          // reads the body, then never answers; ends when the client or the server goes

	Reset      bool  // breaks the connection (RST), nothing done,
	ResetAfter int64 // after this many bytes of the body

	Status  int    // answers this instead of doing the work,
	Code    string // with this error code
	Message string
	Early   bool // before reading the body

	DiskFull bool // PUT: reads the body, stores nothing, answers 500 InternalError
	// LoseAnswer does the work, then breaks the connection (RST) instead of answering.
	LoseAnswer bool
	AfterWork  bool // does the work, then answers Status and Code instead of the truth
	WrongCRC   bool // the answer's x-cos-hash-crc64ecma is wrong
	NoCRC      bool // the answer has no x-cos-hash-crc64ecma
	Truncate   bool // GET: the connection ends after half of the body
	Damage     bool // GET: one byte of the body is wrong. PUT: one byte of what is stored is wrong, the checksums are its own
	Stale      bool // GET, HEAD: what was there before the last write, which may be nothing
}
