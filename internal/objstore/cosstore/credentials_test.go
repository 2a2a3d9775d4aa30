package cosstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"chatexport/internal/config"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/cosstore"
)

func TestCredentials_MissingOnesAreRefusedBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	for _, c := range []config.Credentials{{}, keyOf("id", "", ""), keyOf("", "key", ""), keyOf("", "", "token")} {
		emu, url := startEmulator(t, nil)
		s := openStore(t, url, func(cfg *cosstore.Config) { cfg.Credentials = c })
		_, createErr := s.Create(t.Context(), "k", objstore.Write{})
		for op, err := range map[string]error{"create": createErr, "preflight": s.Preflight(t.Context())} {
			if !errors.Is(err, objstore.ErrDenied) || errors.Is(err, objstore.ErrUnknown) {
				t.Errorf("%s: %v, want ErrDenied", op, err)
			}
			if c.SecretID.Empty() && !strings.Contains(err.Error(), "execution role") {
				t.Errorf("%s: %q does not say that the execution role is missing", op, err)
			}
		}
		if n := len(emu.Log()); n != 0 {
			t.Errorf("%d requests were sent without credentials", n)
		}
	}
}

func TestCredentials_ExpiredOnesFailAtOnceUntilOthersAreSet(t *testing.T) {
	t.Parallel()
	fresh := keyOf("AKIDNEW", "NEWSECRET", "NEWTOKEN")
	old := credentials()
	emu, url := startEmulator(t, func(o *cosemu.Options) {
		o.Credentials = func(id string) (cosemu.Credential, bool) {
			switch id {
			case old.SecretID.Reveal():
				return cosemu.Credential{SecretKey: old.SecretKey.Reveal(), Token: old.Token.Reveal(), Expires: time.Now().Add(-time.Minute)}, true
			case fresh.SecretID.Reveal():
				return cosemu.Credential{SecretKey: fresh.SecretKey.Reveal(), Token: fresh.Token.Reveal()}, true
			}
			return cosemu.Credential{}, false
		}
	})
	s := openStore(t, url, nil)
	if _, err := s.Create(t.Context(), "k", objstore.Write{Body: []byte("x")}); !errors.Is(err, objstore.ErrDenied) {
		t.Errorf("create with an expired token: %v, want ErrDenied", err)
	}
	if n := emu.Counts()[cosemu.OpPut]; n != 1 {
		t.Errorf("%d PUTs with an expired token, want 1", n)
	}
	s.SetCredentials(fresh)
	if _, err := s.Create(t.Context(), "k", objstore.Write{Body: []byte("x")}); err != nil {
		t.Errorf("create with a new token: %v", err)
	}
}

func TestCredentials_ServeLaterRequests(t *testing.T) {
	t.Parallel()
	_, url := startEmulator(t, nil)
	s := openStore(t, url, func(cfg *cosstore.Config) { cfg.Credentials = config.Credentials{} })
	s.SetCredentials(credentials())
	if err := s.Preflight(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestCredentials_LostWriteStaysUnknownWhenTheyExpire(t *testing.T) {
	t.Parallel()
	emu, url := startEmulator(t, nil)
	emu.SetFault(func(r *cosemu.Request) *cosemu.Fault {
		if r.N == 1 {
			return &cosemu.Fault{LoseAnswer: true}
		}
		return &cosemu.Fault{Status: 400, Code: "ExpiredToken"}
	})
	_, err := openStore(t, url, nil).Create(t.Context(), "k", objstore.Write{Body: []byte("x")})
	if !errors.Is(err, objstore.ErrUnknown) || !errors.Is(err, objstore.ErrDenied) {
		t.Errorf("create: %v, want ErrUnknown and ErrDenied", err)
	}
}

// TestCredentials_AreInNoError looks at errors of every kind in every form that a logger could print.
func TestCredentials_AreInNoError(t *testing.T) {
	t.Parallel()
	c := credentials()
	faults := map[string]*cosemu.Fault{
		"echo":      {Status: 403, Code: "SignatureDoesNotMatch", Message: "StringToSign q-signature=abc&token=" + c.Token.Reveal() + " " + c.SecretKey.Reveal()},
		"long echo": {Status: 400, Code: "InvalidArgument", Message: strings.Repeat("m", 1000) + c.SecretKey.Reveal()},
		"reset":     {Reset: true},
		"cut":       {Truncate: true},
		"checksum":  {WrongCRC: true},
		"hang":      {Hang: true},
		"missing":   {Status: 404, Code: "NoSuchKey"},
	}
	for name, fault := range faults {
		emu, url := startEmulator(t, nil)
		emu.SetFault(func(*cosemu.Request) *cosemu.Fault { return fault })
		s := openStore(t, url, func(cfg *cosstore.Config) {
			cfg.StallTimeout, cfg.Retry.Attempts = 100*time.Millisecond, 1
			if name == "cut" {
				cfg.StallTimeout = 5 * time.Second
			}
		})
		checkSecrecy(t, name, url, s)
	}
	// A wrong secret: the emulator, as COS, repeats the string to sign with the token in its answer.
	_, url := startEmulator(t, nil)
	checkSecrecy(t, "wrong secret", url, openStore(t, url, func(cfg *cosstore.Config) { cfg.Credentials.SecretKey = config.NewSecret("WRONGSECRET") }))
}

func checkSecrecy(t *testing.T, name, url string, s *cosstore.Store) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, _, getErr := s.Get(ctx, "k")
	_, headErr := s.Head(ctx, "k")
	_, createErr := s.Create(ctx, "k", objstore.Write{Body: []byte("x")})
	preErr := s.Preflight(ctx)
	c := credentials()
	for op, err := range map[string]error{"get": getErr, "head": headErr, "create": createErr, "preflight": preErr} {
		for e := err; e != nil; e = errors.Unwrap(e) {
			text := fmt.Sprintf("%v %+v %#v", e, e, e)
			for _, secret := range []string{c.SecretID.Reveal(), c.SecretKey.Reveal(), c.Token.Reveal(), "WRONGSECRET", "q-signature", "q-ak", "Authorization", url} {
				if strings.Contains(text, secret) {
					t.Errorf("%s: the error of %s holds %q: %s", name, op, secret, text)
				}
			}
		}
	}
}
