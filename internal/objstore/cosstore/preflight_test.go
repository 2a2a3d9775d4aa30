package cosstore_test

import (
	"errors"
	"strings"
	"testing"

	"chatexport/internal/config"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/cosstore"
)

func TestPreflight_TellsWhatToDo(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault  cosemu.FaultFunc
		change func(*cosstore.Config)
		want   error
		text   string
	}{
		"usable":        {nil, nil, nil, ""},
		"slow moments":  {first(1, cosemu.OpGetVersioning, status(503, "SlowDown")), nil, nil, ""},
		"no bucket":     {nil, func(c *cosstore.Config) { c.Bucket = "other-1250000000" }, objstore.ErrNoBucket, "COS_REGION"},
		"wrong secret":  {nil, func(c *cosstore.Config) { c.Credentials.SecretKey = config.NewSecret("x") }, objstore.ErrDenied, "SignatureDoesNotMatch"},
		"unknown id":    {nil, func(c *cosstore.Config) { c.Credentials.SecretID = config.NewSecret("x") }, objstore.ErrDenied, "execution role"},
		"wrong token":   {nil, func(c *cosstore.Config) { c.Credentials.Token = config.NewSecret("x") }, objstore.ErrDenied, "execution role"},
		"expired":       {first(always, cosemu.OpGetVersioning, status(400, "ExpiredToken")), nil, objstore.ErrDenied, "have expired"},
		"skewed":        {first(1, cosemu.OpGetVersioning, status(403, "RequestTimeTooSkewed")), nil, objstore.ErrDenied, "clock"},
		"redirect":      {first(1, cosemu.OpGetVersioning, status(301, "PermanentRedirect")), nil, objstore.ErrNoBucket, "COS_REGION"},
		"no permission": {first(1, cosemu.OpGetVersioning, status(403, "AccessDenied")), nil, objstore.ErrDenied, "cos:GetBucketVersioning"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			emu, url := startEmulator(t, nil)
			emu.SetFault(test.fault)
			err := openStore(t, url, test.change).Preflight(t.Context())
			if test.want == nil {
				if err != nil {
					t.Errorf("preflight: %v", err)
				}
				return
			}
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("preflight: %v, want %v that says %q", err, test.want, test.text)
			}
		})
	}
}

func TestVersioning_IsRefused(t *testing.T) {
	t.Parallel()
	for _, status := range []cosemu.Versioning{cosemu.VersioningEnabled, cosemu.VersioningSuspended} {
		t.Run(string(status), func(t *testing.T) {
			t.Parallel()
			emu, url := startEmulator(t, func(o *cosemu.Options) { o.Buckets[0].Versioning = status })
			s := openStore(t, url, nil)
			if err := s.Preflight(t.Context()); !errors.Is(err, objstore.ErrVersioned) {
				t.Errorf("preflight: %v, want ErrVersioned", err)
			}
			for n := range 2 {
				o, err := s.Create(t.Context(), "k", objstore.Write{Body: []byte("x")})
				if !errors.Is(err, objstore.ErrVersioned) || errors.Is(err, objstore.ErrUnknown) {
					t.Errorf("create %d: %v, want ErrVersioned", n, err)
				}
				if o.Size != 1 || o.CRC64 == 0 {
					t.Errorf("create %d does not tell that the object was stored: %+v", n, o)
				}
			}
			if n := emu.Counts()[cosemu.OpPut]; n != 2 {
				t.Errorf("%d PUTs, want 2", n)
			}
		})
	}
}
