package bench

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"chatexport/internal/config"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/cosstore"
	"chatexport/internal/panics"
	"chatexport/scripts/chatexport/internal/emulated"
)

// loops is how many files are copied side by side: as many as the function has under way.
const loops = 4

// bucket is where the reference puts files.
type bucket struct {
	Endpoint, SecretID, SecretKey, Token string
}

func (b bucket) open() (*cosstore.Store, error) {
	return cosstore.New(cosstore.Config{
		Bucket: emulated.Bucket, Region: emulated.Region, Prefix: "reference", Endpoint: b.Endpoint,
		Credentials: config.Credentials{
			SecretID: config.NewSecret(b.SecretID), SecretKey: config.NewSecret(b.SecretKey), Token: config.NewSecret(b.Token),
		},
	})
}

// copyFiles does it by hand: each loop fetches a file into memory, and puts it under its hash.
func (r reference) copyFiles(ctx context.Context) (referenceResult, error) {
	start := time.Now()
	store, err := r.Bucket.open()
	if err != nil {
		return referenceResult{}, err
	}
	defer store.CloseIdleConnections()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: loops}}
	defer client.CloseIdleConnections()
	var next, size atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range loops {
		group.Go(func() error {
			return panics.Caught(func() error {
				for i := next.Add(1) - 1; i < int64(len(r.Files)); i = next.Add(1) - 1 {
					n, err := copyFile(ctx, client, store, r.Files[i])
					if err != nil {
						return err
					}
					size.Add(n)
				}
				return nil
			})
		})
	}
	if err := group.Wait(); err != nil {
		return referenceResult{}, err
	}
	return referenceResult{Files: len(r.Files), FileBytes: size.Load(), Elapsed: time.Since(start), PeakMemory: peakMemory()}, nil
}

func copyFile(ctx context.Context, client *http.Client, store *cosstore.Store, url string) (int64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, fmt.Errorf("make request: %w", err)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, fmt.Errorf("fetch a file: %w", err)
	}
	defer func() { _ = response.Body.Close() }() // read to its end
	if response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("fetch a file: status %d", response.StatusCode)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, fmt.Errorf("fetch a file: %w", err)
	}
	sum := sha256.Sum256(body)
	_, err = store.Create(ctx, hex.EncodeToString(sum[:]), objstore.Write{Body: body, ContentType: "application/octet-stream"})
	return int64(len(body)), err
}
