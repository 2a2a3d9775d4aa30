package cosstore_test

import (
	"testing"
	"time"

	"chatexport/internal/config"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/objstore/cosstore"
	"chatexport/internal/objstore/storetest"
	"chatexport/internal/retry"
)

const (
	bucket = "examplebucket-1250000000"
	region = "ap-guangzhou"
)

func credentials() config.Credentials {
	return keyOf("AKIDEXAMPLE", "SECRETEXAMPLE", "TO/KEN+EXAM=PLE")
}

func keyOf(id, key, token string) config.Credentials {
	return config.Credentials{SecretID: config.NewSecret(id), SecretKey: config.NewSecret(key), Token: config.NewSecret(token)}
}

// startEmulator starts a strict emulator with one bucket.
func startEmulator(t *testing.T, change func(*cosemu.Options)) (*cosemu.Server, string) {
	t.Helper()
	c := credentials()
	opts := cosemu.Options{
		Root: t.TempDir(), Buckets: []cosemu.Bucket{{Name: bucket}},
		Credentials: cosemu.StaticCredential(c.SecretID.Reveal(), cosemu.Credential{SecretKey: c.SecretKey.Reveal(), Token: c.Token.Reveal()}),
	}
	if change != nil {
		change(&opts)
	}
	emu, url, err := cosemu.Start(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := emu.Close(); err != nil {
			t.Error(err)
		}
	})
	return emu, url
}

// openStore opens a store on an emulator, with waits short enough for tests.
func openStore(t *testing.T, url string, change func(*cosstore.Config)) *cosstore.Store {
	t.Helper()
	cfg := cosstore.Config{
		Bucket: bucket, Region: region, Prefix: "archive", Endpoint: url, Credentials: credentials(),
		StallTimeout: 5 * time.Second,
		Retry:        retry.Policy{Base: time.Millisecond, Cap: 5 * time.Millisecond, Attempts: 4},
	}
	if change != nil {
		change(&cfg)
	}
	s, err := cosstore.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.CloseIdleConnections)
	return s
}

func TestStore_KeepsTheContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) storetest.Store {
		t.Helper()
		_, url := startEmulator(t, nil)
		return openStore(t, url, nil)
	})
}
