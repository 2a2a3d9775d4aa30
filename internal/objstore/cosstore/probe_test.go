package cosstore_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/cosstore"
)

// trial is a right that is tried, the request that does it, and the header by which COS would refuse it.
type trial struct {
	may func(*cosstore.Store, context.Context) (bool, error)
	op  cosemu.Op
	as  func(http.Header) bool
}

func trials() map[string]trial {
	return map[string]trial{
		"delete": {func(s *cosstore.Store, ctx context.Context) (bool, error) { return s.MayDelete(ctx, "data/") }, cosemu.OpDelete, func(http.Header) bool { return true }},
		"create": {func(s *cosstore.Store, ctx context.Context) (bool, error) { return s.MayCreate(ctx, "data/") }, cosemu.OpPut, func(h http.Header) bool {
			return h.Get("x-cos-forbid-overwrite") == "true" && h.Get("x-cos-acl") == ""
		}},
		"replace": {func(s *cosstore.Store, ctx context.Context) (bool, error) { return s.MayReplace(ctx, "data/") }, cosemu.OpPut, func(h http.Header) bool {
			return h.Get("x-cos-forbid-overwrite") == ""
		}},
		"publish": {func(s *cosstore.Store, ctx context.Context) (bool, error) { return s.MayPublish(ctx, "data/") }, cosemu.OpPut, func(h http.Header) bool {
			return h.Get("x-cos-forbid-overwrite") == "true" && h.Get("x-cos-acl") == "public-read"
		}},
		"grant": {func(s *cosstore.Store, ctx context.Context) (bool, error) {
			return s.MayGrant(ctx, "data/", "100000000001")
		}, cosemu.OpPut, func(h http.Header) bool {
			return h.Get("x-cos-forbid-overwrite") == "true" && h.Get("x-cos-grant-read") == `id="100000000001"`
		}},
	}
}

func TestRights_AreTriedWithoutDoingAnything(t *testing.T) {
	t.Parallel()
	for name, test := range trials() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			emu, url := startEmulator(t, nil)
			s := openStore(t, url, nil)
			if allowed, err := test.may(s, t.Context()); !allowed || err != nil {
				t.Errorf("permitted: %v, %v", allowed, err)
			}
			emu.SetFault(func(r *cosemu.Request) *cosemu.Fault {
				if r.Op == test.op && strings.HasPrefix(r.Key, "archive/data/never-") && test.as(r.Header) {
					return &cosemu.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
				}
				return nil
			})
			if allowed, err := test.may(s, t.Context()); allowed || err != nil {
				t.Errorf("refused: %v, %v", allowed, err)
			}
			for code, status := range map[string]int{"NoSuchBucket": 404, "SignatureDoesNotMatch": 403, "InvalidArgument": 400} {
				emu.SetFault(func(*cosemu.Request) *cosemu.Fault { return &cosemu.Fault{Status: status, Code: code} })
				if allowed, err := test.may(s, t.Context()); allowed || err == nil {
					t.Errorf("%s, which tells neither: %v, %v", code, allowed, err)
				}
			}
			emu.SetFault(nil)
			for e, err := range s.List(t.Context(), "", "") {
				t.Errorf("it left %v, %v", e, err)
			}
		})
	}
}

func TestRights_ServiceThatChecksNoBodyIsTold(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("x-cos-hash-crc64ecma", strconv.FormatUint(objstore.CRC64(body), 10))
	}))
	t.Cleanup(server.Close)
	s := openStore(t, server.URL, nil)
	if _, err := s.MayReplace(t.Context(), "data/"); !errors.Is(err, objstore.ErrCorrupt) || !strings.Contains(err.Error(), "archive/data/never-") {
		t.Errorf("error %v", err)
	}
}
