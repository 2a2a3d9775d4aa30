package chatapi

import (
	"context"
	"fmt"

	"chatexport/internal/chat"
)

// MaxSignatures is the most URLs that Signatures should be asked at once. The documentation names no limit.
const MaxSignatures = 20

// rawURL is one URL of get_cos_sig. The answer repeats ResourceID, which is the caller's own.
type rawURL struct {
	ResourceID int
	RawURL     string
}

// Signatures asks for signed URLs of 1 to MaxSignatures files, which open them for 15 minutes, and returns the answers in
// the order of urls. The service knows files that its SDKs uploaded; the answer to any other, or none, is a Signature
// without URL.
func (c *Client) Signatures(ctx context.Context, urls []string) ([]chat.Signature, error) {
	const command = "get_cos_sig"
	var request struct{ RawURLs []rawURL }
	for i, url := range urls {
		request.RawURLs = append(request.RawURLs, rawURL{ResourceID: i + 1, RawURL: url})
	}
	answer, x, err := c.answer(ctx, fileService, command, request)
	if err != nil {
		return nil, err
	}
	items, err := answer.list("PreSigURLs")
	if err != nil {
		return nil, c.malformed(x, err)
	}
	signatures := make([]chat.Signature, len(urls))
	for _, item := range items {
		id, err := item.integer("ResourceID")
		if err != nil {
			return nil, c.malformed(x, err)
		}
		if id < 1 || id > len(urls) {
			return nil, c.malformed(x, fmt.Errorf("%w: a ResourceID that was not asked for", chat.ErrMalformed))
		}
		if signatures[id-1], err = fileSignature(item); err != nil {
			return nil, c.malformed(x, err)
		}
	}
	return signatures, nil
}

func fileSignature(item object) (chat.Signature, error) {
	code, err := item.integer("Code")
	if err != nil {
		return chat.Signature{}, err
	}
	status, err := item.integer("Status")
	if err != nil {
		return chat.Signature{}, err
	}
	s := chat.Signature{Status: chat.FileStatus(status)}
	if code == 0 {
		s.URL = item.text("PreSigURL")
	}
	return s, nil
}
