package guard

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"chatexport/internal/chat"
)

// errBroken stands for failures of the connection whose own text may quote what the other side sent.
var errBroken = errors.New("the connection broke, or the answer is not HTTP")

// Cause keeps of a transport's error what is safe to print. *url.Error prints the URL, in which there may be a signature,
// and errors about bytes that are not HTTP quote them; those that are kept name hosts, addresses, certificates and system
// errors only.
func Cause(err error) error {
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return e
	}
	switch {
	case errors.Is(err, chat.ErrMalformed):
		return err // our own: an answer that was cut
	case errors.Is(err, http.ErrSchemeMismatch):
		return http.ErrSchemeMismatch
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the connection was closed early: %w", io.ErrUnexpectedEOF)
	}
	if e, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return errors.New(e.Msg)
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return fmt.Errorf("timed out: %w", context.DeadlineExceeded)
	}
	return errBroken
}
