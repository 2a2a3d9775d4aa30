package chatemu

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tencentyun/tls-sig-api-v2-golang/tencentyun"
)

// authorize checks the query of a call in the service's order and returns 0 or the code to answer.
func (s *Server) authorize(x *exchange) int {
	query, now := x.http.URL.Query(), s.opts.Now()
	if s.opts.AllowedIPs != nil {
		host, _, err := net.SplitHostPort(x.http.RemoteAddr)
		if err != nil || !slices.Contains(s.opts.AllowedIPs, host) {
			return codeBadIP
		}
	}
	if code := s.checkApp(query.Get("sdkappid")); code != 0 {
		return code
	}
	if !validRandom(query.Get("random")) || (query.Has("contenttype") && query.Get("contenttype") != "json") {
		return codeHTTPParse
	}
	identifier, sig := query.Get("identifier"), query.Get("usersig")
	switch {
	case identifier == "":
		return codeNoIdentifier
	case sig == "":
		return codeSigEmpty
	case s.guard.blocked(s.opts.MaxBadSigs, now):
		return codeSigTooOften
	}
	if code := s.checkSig(identifier, sig, now); code != 0 {
		s.guard.bad(s.opts.MaxBadSigs, now)
		s.record.badSig()
		return code
	}
	if !slices.Contains(s.opts.Admins, identifier) {
		return codeNotAdmin
	}
	return 0
}

func (s *Server) checkApp(value string) int {
	if value == "" {
		return codeNoApp
	}
	app, err := strconv.Atoi(value)
	switch {
	case err == nil && app == s.opts.SDKAppID:
		return 0
	case err == nil && slices.Contains(s.opts.OtherRegionApps, app):
		return codeOtherRegion
	default:
		return codeBadApp
	}
}

// validRandom accepts a uint32, and no random at all: what the service makes of that is unknown.
func validRandom(value string) bool {
	if value == "" {
		return true
	}
	_, err := strconv.ParseUint(value, 10, 32)
	return err == nil
}

// checkSig verifies a UserSig with the library that made it.
func (s *Server) checkSig(identifier, sig string, now time.Time) int {
	err := tencentyun.VerifyUserSig(uint64(s.opts.SDKAppID), s.opts.SecretKey, identifier, sig, now)
	switch {
	case err == nil:
	case errors.Is(err, tencentyun.ErrSdkAppIDNotMatch):
		return codeSigApp
	case errors.Is(err, tencentyun.ErrIdentifierNotMatch):
		return codeSigIdentifier
	case errors.Is(err, tencentyun.ErrExpired):
		return codeSigExpired
	case errors.Is(err, tencentyun.ErrSigNotMatch):
		return codeSigWrong
	default:
		return codeSigBroken
	}
	if s.opts.MaxSigAge > 0 && now.Unix()-sigTime(sig) > int64(s.opts.MaxSigAge/time.Second) {
		return codeSigExpired
	}
	return 0
}

// sigTime returns when a UserSig says it was made, in seconds since 1970; 0 if it cannot be read.
func sigTime(sig string) int64 {
	raw, err := base64.StdEncoding.DecodeString(strings.NewReplacer("*", "+", "-", "/", "_", "=").Replace(sig))
	if err != nil {
		return 0
	}
	r, err := zlib.NewReader(bytes.NewReader(raw))
	if err != nil {
		return 0
	}
	var claims struct {
		Time int64 `json:"TLS.time"`
	}
	if json.NewDecoder(io.LimitReader(r, 4096)).Decode(&claims) != nil {
		return 0
	}
	return claims.Time
}

// sigGuard counts bad signatures: the service locks an app out for a minute after too many (70050).
type sigGuard struct {
	mu    sync.Mutex
	times []time.Time // of the last bad ones, at most one more than are allowed
}

func (g *sigGuard) bad(limit int, now time.Time) {
	if limit <= 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.times = append(g.times, now)
	if len(g.times) > limit+1 {
		g.times = slices.Delete(g.times, 0, len(g.times)-limit-1)
	}
}

func (g *sigGuard) blocked(limit int, now time.Time) bool {
	if limit <= 0 {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.times) > limit && now.Sub(g.times[0]) < time.Minute
}
