package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"corridor"
	"corridor/internal/catalog"
)

// findCmd searches the catalogues of the node's peers.
type findCmd struct {
	nodeFlags
	Text     []string `arg:"" optional:"" help:"Words that title, description, keywords or publisher hold, all of them. Without any: everything."`
	Country  string   `placeholder:"CC" help:"Only from peers in this country, as this node's operator vouches for." complete:"states"`
	About    string   `placeholder:"CC" help:"Only data about this country." complete:"states"`
	Class    string   `help:"Only this class of data, as the catalogue states it: personal, health, non_personal, ..."`
	Language string   `placeholder:"TAG" help:"Only data in this language, for example ru."`
	Format   string   `help:"Only this distribution."`
	Peer     string   `placeholder:"DID" help:"Only from this peer." complete:"peers"`
	Limit    int      `default:"20" help:"Show at most this many, up to 100."`
	After    string   `help:"Go on where an earlier answer ended." placeholder:"PLACE"`
	Refresh  bool     `help:"Have the catalogues read now, and wait up to a minute for them."`
}

// Help tells what is searched, with examples.
func (findCmd) Help() string {
	return `The node reads the catalogues of the peers that it knows, and of those that theirs nest, and keeps what it found. Every row says
whose dataset it is and as of when; what a peer offers now is shown by: corridor catalog DID. Words are compared by their stems in
English and Russian, Chinese by any part of a phrase.

Examples:
  corridor find customs shipments --country CN --dir node
  corridor find 海关数据 --lang zh --dir node
  corridor find таможенные перевозки --class non_personal --lang ru --json --dir node`
}

// foundPage is what the node answers.
type foundPage struct {
	Items   []catalog.Found `json:"items"`
	Next    string          `json:"next"`
	Sources catalog.Sources `json:"sources"`
}

// Run searches, and says what could not be searched.
func (c findCmd) Run(a *app) error {
	if err := countryFlag("--country", c.Country); err != nil {
		return err
	}
	if err := countryFlag("--about", c.About); err != nil && !strings.Contains(c.About, ":") { // a place may also be named by an IRI
		return err
	}
	node, err := c.client()
	if err != nil {
		return err
	}
	if c.Refresh {
		if err := node.post(a.ctx, "/api/found/refresh?wait=1m", map[string]string{"peer": c.Peer}, nil); err != nil {
			return err
		}
	}
	query := url.Values{"limit": {strconv.Itoa(c.Limit)}}
	for name, v := range map[string]string{"text": strings.Join(c.Text, " "), "from": c.Country, "country": c.About, "class": c.Class, "language": c.Language, "format": c.Format, "peer": c.Peer, "after": c.After} {
		if v != "" {
			query.Set(name, v)
		}
	}
	var raw json.RawMessage
	if err := node.get(a.ctx, "/api/found", query, &raw); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, raw)
	}
	var p foundPage
	if err := json.Unmarshal(raw, &p); err != nil {
		return err
	}
	return c.show(a, p)
}

// countryFlag says why a value is no country, or nil.
func countryFlag(flag, value string) error {
	if value == "" || len(value) == 2 && strings.Trim(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
		return nil
	}
	return &corridor.Error{Kind: corridor.Invalid, Where: flag, Msg: strconv.Quote(value) + " is not a country", Fix: "write the two letters of ISO 3166-1, for example KZ"}
}

func (c findCmd) show(a *app, p foundPage) error {
	w := findWords()[c.Lang]
	rows := [][]string{w.head}
	for _, f := range p.Items {
		from := f.Peer
		if f.Country != "" {
			from += " (" + f.Country + ")"
		}
		if f.Through != "" {
			from += " " + w.through + " " + f.Through
		}
		asOf := f.AsOf
		if asOf == "" {
			asOf = w.notYet
		}
		rows = append(rows, []string{foreign(f.ID), foreign(from), asOf, foreign(f.TitleIn(c.Lang))})
	}
	if err := columns(a.stdout, w.nothing, rows); err != nil {
		return err
	}
	if p.Next != "" {
		fmt.Fprintf(a.stdout, w.more+"\n", p.Next)
	}
	if s := p.Sources; s.Catalogues == 0 {
		fmt.Fprintln(a.stderr, w.nobody)
	} else if s.Never+s.Failing > 0 {
		fmt.Fprintf(a.stderr, w.partly+"\n", s.Catalogues, s.Never, s.Failing)
	}
	return nil
}

// foreign makes text of others safe to print on one line of a terminal.
func foreign(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}

type findText struct {
	head                                           []string
	through, notYet, nothing, more, nobody, partly string
}

func findWords() map[string]findText {
	return map[string]findText{
		"en": {[]string{"DATASET", "FROM", "AS OF", "TITLE"}, "through", "being read", "nothing found", "more: --after %s",
			"this node knows no peers whose catalogues it could read; add one with: corridor peers add",
			"of %d catalogues, %d have never been read to their end and %d could not be read last time; corridor find --refresh asks again"},
		"zh": {[]string{"数据集", "来源", "截至", "标题"}, "经由", "正在读取", "没有找到", "更多：--after %s",
			"本节点没有可读取目录的对等方；请先执行：corridor peers add",
			"共 %d 个目录：%d 个从未完整读取，%d 个上次读取失败；corridor find --refresh 可重新读取"},
		"ru": {[]string{"НАБОР", "ОТКУДА", "ПО СОСТОЯНИЮ НА", "НАЗВАНИЕ"}, "через", "читается", "ничего не найдено", "дальше: --after %s",
			"узел не знает участников, чьи каталоги можно прочесть; добавьте: corridor peers add",
			"каталогов: %d, ни разу не прочитаны до конца: %d, не удалось прочесть в последний раз: %d; corridor find --refresh спросит снова"},
	}
}
