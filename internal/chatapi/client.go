package chatapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/config"
	"chatexport/internal/guard"
	"chatexport/internal/logging"
	"chatexport/internal/retry"
)

// maxSkew is the difference of clocks that is worth a word when a signature is refused.
const maxSkew = time.Minute

// Services of the REST API, as they stand in the path.
const (
	groupService = "group_open_http_svc"
	topicService = "million_group_open_http_svc"
	fileService  = "im_cos_msg"
)

// Client reads from the Chat service. It is safe for concurrent use. Every method makes one attempt and returns
// *Error, whose class says what may follow.
type Client struct {
	base     *url.URL
	http     *http.Client
	signer   *signer
	sdkAppID int
	admin    string
	timeout  time.Duration
	clean    func(info, userSig string) string // a closure, so that the secret key is in no field that could be printed
}

// New returns a client. It makes no call. The error wraps ErrConfiguration.
func New(c Config) (*Client, error) {
	base, err := config.BaseURL(c.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("chat client: %w: the base URL %w", ErrConfiguration, err)
	}
	c.Admin = cmp.Or(c.Admin, "administrator")
	key := c.SecretKey.Reveal()
	return &Client{
		base:     base,
		http:     c.client(),
		signer:   newSigner(c.SDKAppID, key, c.Admin),
		sdkAppID: c.SDKAppID,
		admin:    c.Admin,
		timeout:  cmp.Or(c.Timeout, defaultTimeout),
		clean: func(info, userSig string) string {
			return logging.Line(withoutURLs(info), maxInfo, userSig, url.QueryEscape(userSig), key, url.QueryEscape(key))
		},
	}, nil
}

// CloseIdleConnections drops the connections that no call uses. An instance is frozen between invocations, and its
// connections die meanwhile: dropping them when an invocation begins spares it failed attempts.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

// exchange is one call to which an answer came.
type exchange struct {
	op        string
	random    uint32
	signature *signature
	status    int
	body      []byte
	skew      time.Duration
}

// post makes one attempt of a command. It returns an *Error if no whole answer came; what the answer says is for
// verdict to judge.
func (c *Client) post(ctx context.Context, service, command string, request any) (*exchange, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("%s: encode the request: %w", command, err)
	}
	if pause := c.signer.wait(time.Now()); pause > 0 {
		if err := retry.Sleep(ctx, pause); err != nil {
			return nil, &Error{Op: command, Code: codeLocked, Err: err, final: true}
		}
	}
	signature, err := c.signer.get(time.Now())
	if err != nil {
		return nil, &Error{Op: command, Err: fmt.Errorf("%w: %w", ErrConfiguration, err)}
	}
	x := &exchange{op: command, random: rand.Uint32(), signature: signature}
	attempt, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if err := c.roundTrip(attempt, service, body, x); err != nil {
		return nil, c.transportError(ctx, attempt, x, err)
	}
	return x, nil
}

// roundTrip sends the request and reads the whole answer. Its errors may hold the URL: only transportError may see them.
func (c *Client) roundTrip(ctx context.Context, service string, body []byte, x *exchange) error {
	target := *c.base
	target.Path += "/v4/" + service + "/" + x.op
	// The UserSig's alphabet is made for URLs: escaping it would only lengthen it.
	target.RawQuery = "sdkappid=" + strconv.Itoa(c.sdkAppID) +
		"&identifier=" + url.QueryEscape(c.admin) +
		"&usersig=" + x.signature.text +
		"&random=" + strconv.FormatUint(uint64(x.random), 10) +
		"&contenttype=json"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "chatexport")
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // only reading: its error says nothing more
	x.status = response.StatusCode
	if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		x.skew = time.Until(date)
	}
	x.body, err = io.ReadAll(response.Body) // to its end, so that the connection can serve the next call
	if err == nil && len(x.body) == maxAnswer {
		err = fmt.Errorf("%w: %d bytes or more", chat.ErrMalformed, maxAnswer) // cut, so no evidence against a message
	}
	return err
}

// transportError describes a call to which no whole answer came. The caller's own context comes first: it may be what
// ended the attempt.
func (c *Client) transportError(ctx, attempt context.Context, x *exchange, err error) error {
	failure := &Error{Op: x.op, HTTPStatus: x.status, Random: x.random}
	switch {
	case ctx.Err() != nil:
		failure.Err, failure.final = retry.Ended(ctx), true
	case attempt.Err() != nil:
		failure.Err = fmt.Errorf("no whole answer within %v: %w", c.timeout, context.DeadlineExceeded)
	default:
		failure.Err = guard.Cause(err)
	}
	return failure
}

// answer judges an answer that is read as a tree of objects: all but pages.
func (c *Client) answer(ctx context.Context, service, command string, request any) (object, *exchange, error) {
	x, err := c.post(ctx, service, command, request)
	if err != nil {
		return nil, nil, err
	}
	fields, err := parseObject(x.body)
	if err != nil {
		return nil, x, c.verdict(x, status{}, err)
	}
	s, err := fields.status()
	return fields, x, c.verdict(x, s, err)
}

// verdict decides whether an answer is a success: only HTTP 200 with readable JSON, ErrorCode 0 and ActionStatus "OK"
// is. It also tells the signer of a signature that was refused.
func (c *Client) verdict(x *exchange, s status, unread error) error {
	if unread == nil && x.status == http.StatusOK && s.code == 0 && s.action == "OK" {
		return nil
	}
	failure := &Error{Op: x.op, HTTPStatus: x.status, Code: s.code, Info: c.clean(s.info, x.signature.text), Random: x.random}
	switch {
	case s.code != 0: // says more than the form of the rest
	case x.status != http.StatusOK: // a gateway's page; that it is not JSON says nothing
	case unread != nil:
		failure.Err = unread
	case s.action == "": // JSON, but not this service's
		failure.Err = fmt.Errorf("%w: no ActionStatus", chat.ErrMalformed)
	default:
		failure.Err = errNotOK
	}
	if lookup(s.code).kind == kindSignature {
		now := time.Now()
		if s.code == codeLocked {
			c.signer.locked(now)
		}
		failure.resigned = c.signer.refused(x.signature, now)
		failure.skew = x.skew
	}
	return failure
}
