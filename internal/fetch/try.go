package fetch

import (
	"context"
	"crypto/md5" // Content-MD5
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"chatexport/internal/objstore"
	"chatexport/internal/retry"
)

const (
	maxRedirects = 5
	bufferBytes  = 64 << 10
	maxTypeBytes = 100

	// DefaultType is the type of what was served without a valid one.
	DefaultType = "application/octet-stream"
)

// bring tries to get the file until it came whole, or it is clear that it will not, or there were enough tries.
func (f *Fetcher) bring(ctx context.Context, j *job) (file *File, failure *Failure) {
	err := f.cfg.Retry.Do(ctx, func(ctx context.Context, _ int) error {
		if file, failure = f.try(ctx, j); failure != nil {
			return failure
		}
		return nil
	})
	switch {
	case err == nil:
		return file, nil
	case (ctx.Err() != nil || errors.Is(err, retry.ErrNoTime)) && (failure == nil || failure.Passing):
		return nil, tooSlow(err)
	}
	return nil, failure
}

// try asks for the file once.
func (f *Fetcher) try(ctx context.Context, j *job) (*File, *Failure) {
	response, failure := f.get(ctx, j.url)
	if failure != nil {
		return nil, failure
	}
	defer func() { _ = response.Body.Close() }() // read to its end, or given up
	if response.StatusCode != http.StatusOK {
		return nil, ofStatus(response.StatusCode, j.signed)
	}
	return f.receive(response, j)
}

// get makes a request, and those to which it is sent on: within the list, and without a word about where it came from.
func (f *Fetcher) get(ctx context.Context, u *url.URL) (*http.Response, *Failure) {
	for hops := 0; ; hops++ {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
		if err != nil {
			return nil, refused(CodeURL)
		}
		request.Header.Set("User-Agent", f.cfg.UserAgent)
		request.Header.Set("Accept", "*/*")
		response, err := f.transport.RoundTrip(request)
		if err != nil {
			return nil, ofTransport(err)
		}
		switch response.StatusCode {
		case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		default:
			return response, nil
		}
		_ = response.Body.Close() // not wanted
		to, err := response.Location()
		if err != nil {
			return nil, refused(CodeRedirect)
		}
		if hops == maxRedirects {
			return nil, refused(CodeRedirects)
		}
		if u, _ = f.allow(to.String()); u == nil {
			return nil, refused(CodeRedirect)
		}
	}
}

// receive reads the body into the temporary file and computes its sums on the way.
func (f *Fetcher) receive(response *http.Response, j *job) (*File, *Failure) {
	told := response.ContentLength // -1 if it does not tell
	if told > f.cfg.MaxBytes {
		return nil, &Failure{State: TooLarge, Code: CodeAnswer}
	}
	if err := j.room(f.cfg.Dir); err != nil {
		return nil, ofDisk(err)
	}
	sha, sum, crc := sha256.New(), md5.New(), objstore.NewCRC64()
	n, err := io.CopyBuffer(io.MultiWriter(j.spool, sha, sum, crc), io.LimitReader(response.Body, f.cfg.MaxBytes+1), make([]byte, bufferBytes))
	switch {
	case j.spool.err != nil:
		return nil, ofDisk(j.spool.err)
	case n > f.cfg.MaxBytes:
		return nil, &Failure{State: TooLarge, Code: CodeAnswer}
	case err != nil:
		return nil, ofBody(err)
	}
	// A body whose end is only the connection's may have been cut: it counts as whole when the message says its size, or it
	// comes so twice.
	known := told >= 0 || len(response.TransferEncoding) > 0
	asTold := j.link.Size == n || j.link.Size == 0 && known
	if !asTold && j.came != n {
		j.came = n
		return nil, &Failure{State: Failed, Code: CodeSize, Passing: true, Err: fmt.Errorf("%d bytes came, the message says %d", n, j.link.Size)}
	}
	return &File{
		SHA256: hex.EncodeToString(sha.Sum(nil)), Size: n, Type: cleanType(response.Header.Get("Content-Type")), Short: j.link.Size != 0 && j.link.Size != n,
		content: objstore.File{Content: j.spool.file, Size: n, MD5: [md5.Size]byte(sum.Sum(nil)), CRC64: crc.Sum64()},
	}, nil
}

func ofDisk(err error) *Failure {
	return &Failure{State: Failed, Code: CodeDisk, Passing: true, Err: fmt.Errorf("temporary file: %w", err)}
}

// cleanType keeps of a type what is one.
func cleanType(served string) string {
	name, parameters, err := mime.ParseMediaType(served)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) || !strings.Contains(name, "/") {
		return DefaultType
	}
	for _, text := range []string{mime.FormatMediaType(name, parameters), name} {
		if text != "" && len(text) <= maxTypeBytes {
			return text
		}
	}
	return DefaultType
}
