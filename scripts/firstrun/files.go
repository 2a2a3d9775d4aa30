package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/chatapi"
	"chatexport/internal/config"
	"chatexport/internal/fetch"
	"chatexport/scripts/internal/services"
)

const (
	filePages    = 5 // newest ones, in which files are looked for
	filePatience = time.Minute

	whichSignatures = "Which code says that get_cos_sig is asked too fast?"
	whatExpired     = "What comes of a file that has expired?"
)

// files asks about the files that messages refer to. None of them is stored.
type files struct {
	*report

	client *chatClient
	plain  *fetch.Fetcher // that gets no signature
	byHost map[string]chat.Link
}

func newFiles(r *report, c config.Config, client *chatClient) *files {
	return &files{report: r, client: client, plain: services.Files(c, unsigned{}, client.caller), byHost: map[string]chat.Link{}}
}

// unsigned is a service that signs nothing, so that what a host says is what it says to the URL of a message.
type unsigned struct{}

// Signatures implements fetch.Signer.
func (unsigned) Signatures(_ context.Context, urls []string) ([]chat.Signature, error) {
	return make([]chat.Signature, len(urls)), nil
}

// ask asks about the files of the newest messages, of which first has the last ones.
func (f *files) ask(ctx context.Context, h *history, first chat.Page) error {
	elsewhere, err := f.collect(ctx, h, first)
	if err != nil {
		return err
	}
	const hosts = "Are all files on hosts that are known?"
	switch {
	case len(f.byHost) == 0 && len(elsewhere) == 0:
		f.answer(unasked, "How do files come?", "none in the newest messages", "send pictures, sounds, videos and files with each of your clients, and start this again.")
		return nil
	case len(elsewhere) > 0:
		f.answer(look, hosts, "not those on "+strings.Join(elsewhere, ", "), "they are not fetched: name in MEDIA_HOSTS those that are yours.")
	default:
		f.answer(asBuilt, hosts, "all are: "+strings.Join(slices.Sorted(maps.Keys(f.byHost)), ", "), "files are fetched from them.")
	}
	for _, host := range slices.Sorted(maps.Keys(f.byHost)) {
		came := f.asItStands(ctx, host)
		f.signed(ctx, host, came)
	}
	if len(f.byHost) > 0 {
		f.batch(ctx)
		f.twice(ctx, h, first)
	}
	return nil
}

// collect takes the smallest file of each host from the newest pages, and returns the hosts that no file is fetched from.
func (f *files) collect(ctx context.Context, h *history, page chat.Page) (elsewhere []string, err error) {
	off := map[string]bool{}
	for n := 1; ; n++ {
		for i := range page.Elements {
			for _, l := range chat.Links(&page.Elements[i]) {
				host := f.plain.Host(l.URL)
				known, found := f.byHost[host]
				u, err := url.Parse(l.URL)
				switch {
				case host != "" && (!found || l.Size > 0 && l.Size < known.Size):
					f.byHost[host] = l
				case host == "" && err == nil && strings.HasPrefix(u.Scheme, "http") && u.Hostname() != "":
					off[strings.ToLower(u.Hostname())] = true
				}
			}
		}
		top := lowest(page) - 1
		if n == filePages || top < 1 {
			return slices.Sorted(maps.Keys(off)), nil
		}
		if page, err = h.page(ctx, map[string]any{"ReqMsgSeq": top}); err != nil {
			return nil, fmt.Errorf("read the newest pages of %s: %w", h.group, err)
		}
	}
}

// fetch gets one file without a signature.
func (f *files) fetch(ctx context.Context, l fetch.Link) (seen string, failure *fetch.Failure) {
	ctx, cancel := context.WithTimeout(ctx, filePatience)
	defer cancel()
	err := f.plain.Fetch(ctx, time.Now().Add(filePatience), []fetch.Link{l}, func(_ context.Context, _ int, file *fetch.File, err error) {
		failure, _ = errors.AsType[*fetch.Failure](err)
		if file != nil {
			seen = fmt.Sprintf("it comes, as %s, %d bytes", file.Type, file.Size)
			if file.Short {
				seen += fmt.Sprintf(", and the message says %d", l.Size)
			}
		}
	})
	switch {
	case err != nil:
		failure = &fetch.Failure{State: fetch.Failed, Err: err}
	case seen == "" && failure == nil:
		failure = &fetch.Failure{State: fetch.Failed, Code: fetch.CodeTooSlow}
	}
	if failure != nil {
		seen = failure.Error()
	}
	return seen, failure
}

// asItStands reports whether a host gives a file to whoever has its URL.
func (f *files) asItStands(ctx context.Context, host string) bool {
	question := "Does a file of " + host + " come by its URL as it stands?"
	l := f.byHost[host]
	seen, failure := f.fetch(ctx, fetch.Link{URL: l.URL, Size: l.Size})
	switch {
	case failure == nil:
		f.answer(asBuilt, question, seen, "no signature is asked for; whoever can read a message's URL can have its file.")
	case failure.State == fetch.Refused:
		f.answer(fine, question, seen, "a signature is asked for, at one call for 20 files.")
	case failure.State == fetch.Gone:
		f.answer(look, question, seen, "a file is gone before its message, or the host says so to whoever has no signature: then the next answer shows one, and this must be known. Please report it.")
	default:
		f.answer(look, question, seen, "files of this host are not had now. Can this machine reach it? The function needs the public network, too.")
	}
	return failure == nil
}

// signed asks the service to sign a file of a host, and whether that opens it.
func (f *files) signed(ctx context.Context, host string, needless bool) {
	question := "Does get_cos_sig sign a file of " + host + "?"
	l := f.byHost[host]
	answers, err := f.sign(ctx, l.URL)
	otherwise := look
	if needless {
		otherwise = fine
	}
	switch {
	case err != nil:
		f.answer(otherwise, question, shape(chat.Page{}, err), "it does not answer: files that need a signature stay refused.")
		return
	case answers[0].URL == "":
		f.answer(otherwise, question, fmt.Sprintf("no URL, status %d", answers[0].Status), "files of this host that need a signature stay refused.")
		return
	}
	seen, failure := f.fetch(ctx, fetch.Link{URL: answers[0].URL, Size: l.Size}) // a secret: it is told nowhere
	seen = fmt.Sprintf("a URL, status %d: %s", answers[0].Status, seen)
	switch {
	case failure != nil && f.plain.Host(answers[0].URL) == "":
		f.answer(otherwise, question, seen, "the signed URL is on a host that is not on the list: please report its name.")
	case failure != nil:
		f.answer(otherwise, question, seen, "a signature does not open it.")
	default:
		f.answer(asBuilt, question, seen, "what is refused is fetched by the signed URL, which is kept nowhere.")
	}
}

func (f *files) sign(ctx context.Context, urls ...string) (answers []chat.Signature, err error) {
	err = f.client.caller.Call(ctx, func(ctx context.Context) error {
		answers, err = f.client.Signatures(ctx, urls)
		return err
	})
	return answers, err
}

// any returns one of the files.
func (f *files) any() chat.Link { return f.byHost[slices.Min(slices.Collect(maps.Keys(f.byHost)))] }

func (f *files) batch(ctx context.Context) {
	const question = "How many URLs does get_cos_sig take in one call?"
	var seen []string
	for _, n := range []int{chatapi.MaxSignatures, 2 * chatapi.MaxSignatures, 5 * chatapi.MaxSignatures} {
		_, err := f.sign(ctx, slices.Repeat([]string{f.any().URL}, n)...)
		if err != nil {
			seen = append(seen, fmt.Sprintf("%d: %s", n, shape(chat.Page{}, err)))
			break
		}
		seen = append(seen, fmt.Sprintf("%d are taken", n))
	}
	if text := strings.Join(seen, ", "); strings.HasSuffix(seen[0], "taken") {
		f.answer(asBuilt, question, text, "the function asks for 20 at once.")
	} else {
		f.answer(look, question, text, "the function asks for 20 at once: files that need a signature stay refused. Please report it.")
	}
}

// twice compares the URLs of one page in two answers.
func (f *files) twice(ctx context.Context, h *history, first chat.Page) {
	const question = "Is the URL of a file the same in two answers?"
	again, err := h.page(ctx, map[string]any{"ReqMsgSeq": first.Newest()})
	if err != nil {
		f.answer(look, question, shape(again, err), "the page could not be read again.")
		return
	}
	before, same, queries, others := urlsOf(first), 0, 0, 0
	for place, now := range urlsOf(again) {
		then, both := before[place]
		path, _, _ := strings.Cut(then, "?")
		switch {
		case !both:
		case then == now:
			same++
		case strings.HasPrefix(now+"?", path+"?"):
			queries++
		default:
			others++
		}
	}
	seen := fmt.Sprintf("%d are, %d differ behind the ?, %d before it", same, queries, others)
	switch {
	case others > 0:
		f.answer(look, question, seen, "a file cannot be known by its URL: messages would look as if they were edited. Please report it.")
	case queries > 0:
		f.answer(fine, question, seen, "URLs hold something that changes: they are compared without it.")
	case same == 0:
		f.answer(unasked, question, "no file in the newest page", "send one, and start this again.")
	default:
		f.answer(asBuilt, question, seen, "a message that was not edited comes as it was.")
	}
}

// urlsOf returns the URLs of a page by where they stand.
func urlsOf(p chat.Page) map[string]string {
	urls := map[string]string{}
	for i := range p.Elements {
		for _, l := range chat.Links(&p.Elements[i]) {
			if l.URL != "" {
				urls[fmt.Sprint(l.Seq, " ", l.Path, " ", l.Kind)] = l.URL
			}
		}
	}
	return urls
}

// expired asks for a file that was there once.
func (f *files) expired(ctx context.Context, expired string) {
	if expired == "" {
		f.answer(unasked, whatExpired, "--expired-url names none", "404 or 410, or status 2 of get_cos_sig, is taken for gone. Take the URL of a message that has expired from an archive (chatexport cat GROUP --media).")
		return
	}
	const gone = "such files end as gone."
	seen, failure := f.fetch(ctx, fetch.Link{URL: expired})
	answers, err := f.sign(ctx, expired)
	status := shape(chat.Page{}, err)
	missing := err == nil && answers[0].Status == chat.FileMissing
	if err == nil {
		status = fmt.Sprintf("status %d", answers[0].Status)
	}
	seen += "; get_cos_sig: " + status
	switch {
	case failure == nil:
		f.answer(look, whatExpired, seen, "it is still there: has it expired?")
	case failure.State == fetch.Gone, failure.State == fetch.Refused && missing:
		f.answer(asBuilt, whatExpired, seen, gone)
	case failure.State == fetch.Refused:
		f.answer(look, whatExpired, seen, "such files end as refused, after half of the retention: nothing is lost by it, but a refusal may be an expiry.")
	default:
		f.answer(look, whatExpired, seen, "such files end as "+string(failure.State)+".")
	}
}

// overload asks for more signatures than the quota allows, once.
func (f *files) overload(ctx context.Context) {
	url := f.any().URL
	overload(ctx, f.report, whichSignatures, func(ctx context.Context) error {
		_, err := f.client.Signatures(ctx, []string{url})
		return err
	})
}
