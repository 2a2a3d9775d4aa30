package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/chatapi"
	"chatexport/internal/config"
	"chatexport/internal/fetch"
	"chatexport/internal/retry"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/target"
	"chatexport/scripts/internal/services"
)

// The checks of files.
const (
	filesFetch = "files"
	filesHosts = "files elsewhere"
)

const (
	fileGroups   = 10 // whose newest page is looked at for a file, where no group is named
	filePagesQPS = 10
	fileTries    = 3 // newest links of a group that are tried
	fileHosts    = 5 // off the list that are named

	filePatience = time.Minute

	egress = "the function needs the public network, too: publicAccess in serverless.yml, and in a VPC a NAT gateway"
)

// links are those of the newest messages of a group, newest first.
type links struct {
	group string
	ours  []chat.Link     // that would be fetched
	hosts map[string]bool // of those that would not
}

// files fetches the newest file that it finds in the group, or in one of the app's groups, as the function would, and
// stores it nowhere.
func (e *examination) files(ctx context.Context, c config.Config, client *chatapi.Client, groups []string) {
	if !c.ExportMedia {
		e.add(skipped, filesFetch, "EXPORT_MEDIA is off", "")
		return
	}
	if e.group != "" {
		groups = []string{e.group}
	}
	signer := &signer{Client: client}
	caller := chatapi.NewCaller(retry.NewLimiter(filePagesQPS))
	fetcher := services.Files(c, signer, caller)
	defer fetcher.CloseIdleConnections()
	found := links{hosts: map[string]bool{}}
	for _, id := range groups {
		if newestLinks(ctx, caller, client, fetcher, id, &found); len(found.ours) > 0 {
			break
		}
	}
	if len(found.ours) == 0 {
		e.add(skipped, filesFetch, "no file in the newest messages", "name a group with pictures by --group")
	} else {
		e.fetch(ctx, fetcher, signer, found)
	}
	e.elsewhere(found.hosts)
}

// newestLinks takes in the links of the newest page of a group. One that has no history has none.
func newestLinks(ctx context.Context, caller *retry.Caller, client *chatapi.Client, fetcher *fetch.Fetcher, id string, found *links) {
	s, err := target.Stream(id)
	if err != nil {
		return
	}
	var page chat.Page
	if err := caller.Call(ctx, func(ctx context.Context) (err error) {
		page, err = client.Page(ctx, chat.Query{Stream: s, Number: chat.PageSize})
		return err
	}); err != nil {
		return
	}
	slices.SortFunc(page.Elements, func(a, b chat.Element) int { return int(b.Seq - a.Seq) })
	found.group = cli.StreamName(s)
	for i := range page.Elements {
		for _, l := range chat.Links(&page.Elements[i]) {
			if fetcher.Host(l.URL) != "" {
				found.ours = append(found.ours, l)
			} else if u, err := url.Parse(l.URL); err == nil && strings.HasPrefix(u.Scheme, "http") && u.Hostname() != "" {
				found.hosts[strings.ToLower(u.Hostname())] = true
			}
		}
	}
}

// fetch tells how the newest file came that could be had, or why the newest could not.
func (e *examination) fetch(ctx context.Context, fetcher *fetch.Fetcher, signer *signer, found links) {
	tried := make([]fetch.Link, min(fileTries, len(found.ours)))
	for i := range tried {
		tried[i] = fetch.Link{URL: found.ours[i].URL, Size: found.ours[i].Size}
	}
	ctx, cancel := context.WithTimeout(ctx, filePatience)
	defer cancel()
	var mu sync.Mutex
	files, failures := make([]*fetch.File, len(tried)), make([]error, len(tried))
	err := fetcher.Fetch(ctx, time.Now().Add(filePatience), tried, func(_ context.Context, i int, file *fetch.File, err error) {
		mu.Lock()
		defer mu.Unlock()
		files[i], failures[i] = file, err
	})
	if err != nil {
		e.add(failed, filesFetch, err.Error(), "")
		return
	}
	for i, file := range files {
		if file != nil {
			e.add(ok, filesFetch, fmt.Sprintf("the %s of seq %d of %s came from %s, %s: %s, %s",
				found.ours[i].Kind, found.ours[i].Seq, found.group, fetcher.Host(tried[i].URL), signer.way(tried[i].URL), file.Type, cli.Bytes(file.Size)), "")
			return
		}
	}
	text := fmt.Sprintf("the %s of seq %d of %s did not come from %s: %v",
		found.ours[0].Kind, found.ours[0].Seq, found.group, fetcher.Host(tried[0].URL), failures[0])
	failure, told := errors.AsType[*fetch.Failure](failures[0])
	switch {
	case told && failure.State == fetch.Failed:
		e.add(failed, filesFetch, text, egress)
	case told && failure.State == fetch.Refused:
		e.add(failed, filesFetch, text, "scripts/firstrun.sh asks how such files are opened")
	default:
		e.add(warning, filesFetch, text, "")
	}
}

// elsewhere tells from where files are not fetched.
func (e *examination) elsewhere(hosts map[string]bool) {
	if len(hosts) == 0 {
		e.add(ok, filesHosts, "none seen", "")
		return
	}
	var names []string
	for host := range hosts {
		names = append(names, host)
	}
	slices.Sort(names)
	text := strings.Join(names[:min(len(names), fileHosts)], ", ")
	if len(names) > fileHosts {
		text += fmt.Sprintf(" and %d more", len(names)-fileHosts)
	}
	e.add(warning, filesHosts, "messages refer to files on "+text+", which stay there", "name in MEDIA_HOSTS those that are yours")
}

// signer notes which URLs were signed.
type signer struct {
	*chatapi.Client

	mu     sync.Mutex
	signed []string
}

// Signatures implements fetch.Signer.
func (s *signer) Signatures(ctx context.Context, urls []string) ([]chat.Signature, error) {
	s.mu.Lock()
	s.signed = append(s.signed, urls...)
	s.mu.Unlock()
	return s.Client.Signatures(ctx, urls)
}

// way says how a file came.
func (s *signer) way(url string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Contains(s.signed, url) {
		return "by a signed URL"
	}
	return "as its URL stands"
}
