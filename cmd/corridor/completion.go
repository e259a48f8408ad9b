package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"corridor/internal/identity"
)

// completionCmd prints what a shell needs to complete corridor's commands.
type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"Shell: bash, zsh or fish."`
}

// Help is the long help with examples.
func (completionCmd) Help() string {
	return `Commands, flags, facts of the law, and the identifiers of a running node are completed.

Examples:
  source <(corridor completion bash)
  corridor completion bash > /etc/bash_completion.d/corridor
  corridor completion zsh > "${fpath[1]}/_corridor"
  corridor completion fish > ~/.config/fish/completions/corridor.fish`
}

// Each script hands the words so far to "corridor complete" and shows what it
// prints: a candidate and, after a tab, what it is. The one line ":files" asks
// for names of files.
const (
	bashScript = `_corridor() {
    local IFS=$'\n' cur words cword
    if declare -F _get_comp_words_by_ref > /dev/null; then
        _get_comp_words_by_ref -n =: cur words cword
    else
        cur=${COMP_WORDS[COMP_CWORD]} words=("${COMP_WORDS[@]}") cword=$COMP_CWORD
    fi
    local found=$("${COMP_WORDS[0]}" complete -- "${words[@]:1:cword}" 2> /dev/null | cut -f 1)
    if [ "$found" = ":files" ]; then
        compopt -o filenames 2> /dev/null
        COMPREPLY=($(compgen -f -- "$cur"))
        return
    fi
    COMPREPLY=($found)
    case "$found" in *=) compopt -o nospace 2> /dev/null ;; esac
    if declare -F __ltrim_colon_completions > /dev/null; then __ltrim_colon_completions "$cur"; fi
}
complete -F _corridor corridor
`
	zshScript = `#compdef corridor
_corridor() {
    local line found=() shown=()
    for line in "${(@f)$(corridor complete -- "${(@)words[2,CURRENT]}" 2> /dev/null)}"; do
        [[ -z "$line" ]] && continue
        if [[ "$line" == ":files" ]]; then _files; return; fi
        found+=("${line%%$'\t'*}")
        shown+=("${line/$'\t'/  -- }")
    done
    compadd -Q -l -d shown -a found
}
if [ "$funcstack[1]" = "_corridor" ]; then _corridor "$@"; else compdef _corridor corridor; fi
`
	fishScript = `function __corridor_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l found (corridor complete -- $words[2..-1] 2> /dev/null)
    if test "$found" = ":files"
        __fish_complete_path (commandline -ct)
    else
        printf '%s\n' $found
    end
end
complete -c corridor -f -a '(__corridor_complete)'
`
)

// Run prints the script.
func (c completionCmd) Run(a *app) error {
	script := map[string]string{"bash": bashScript, "zsh": zshScript, "fish": fishScript}[c.Shell]
	_, err := io.WriteString(a.stdout, script)
	return err
}

// completeCmd is what the scripts call.
type completeCmd struct {
	Words []string `arg:"" optional:"" passthrough:"" help:"The words after the program's name; the last one is to be completed."`
}

// Run prints the candidates. Completing never fails aloud: a shell would show
// the error in the middle of the line that somebody writes.
func (c completeCmd) Run(a *app, model *kong.Application) error {
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	if len(words) == 0 {
		words = []string{""}
	}
	l := readLine(model.Node, words[:len(words)-1])
	out := bufio.NewWriter(a.stdout)
	for _, s := range l.candidates(a.ctx, words[len(words)-1]) {
		fmt.Fprintln(out, s)
	}
	return out.Flush()
}

// line is what the words before the one to be completed say.
type line struct {
	node    *kong.Node
	args    int               // positional arguments given
	waiting *kong.Flag        // a flag that still wants its value
	given   map[string]string // values of flags
}

func readLine(node *kong.Node, words []string) line {
	l := line{node: node, given: map[string]string{}}
	for _, w := range words {
		l.read(w)
	}
	return l
}

func (l *line) read(w string) {
	if f := l.waiting; f != nil {
		l.given[f.Name], l.waiting = w, nil
		return
	}
	if strings.HasPrefix(w, "-") && w != "-" {
		name, value, has := strings.Cut(w, "=")
		switch f := l.flag(name); {
		case f == nil || f.IsBool():
		case has:
			l.given[f.Name] = value
		default:
			l.waiting = f
		}
		return
	}
	for _, child := range l.node.Children {
		if child.Name == w && !child.Hidden {
			l.node, l.args = child, 0
			return
		}
	}
	l.args++
}

func (l *line) flags() []*kong.Flag {
	return slices.Concat(l.node.AllFlags(true)...)
}

func (l *line) flag(name string) *kong.Flag {
	for _, f := range l.flags() {
		if name == "--"+f.Name || f.Short != 0 && name == "-"+string(f.Short) {
			return f
		}
	}
	return nil
}

// candidates are the words that may stand where the last one is being written.
func (l *line) candidates(ctx context.Context, last string) []string {
	switch {
	case l.waiting != nil:
		return l.values(ctx, l.waiting.Value, last, "")
	case strings.HasPrefix(last, "--") && strings.Contains(last, "="):
		name, value, _ := strings.Cut(last, "=")
		if f := l.flag(name); f != nil {
			return l.values(ctx, f.Value, value, name+"=")
		}
		return nil
	case strings.HasPrefix(last, "-"):
		var out []string
		for _, f := range l.flags() {
			out = append(out, "--"+f.Name+"\t"+f.Help)
		}
		return startingWith(out, last, "")
	case len(l.node.Children) > 0:
		var out []string
		for _, child := range l.node.Children {
			if !child.Hidden {
				out = append(out, child.Name+"\t"+child.Help)
			}
		}
		return startingWith(out, last, "")
	case l.args < len(l.node.Positional):
		return l.values(ctx, l.node.Positional[l.args], last, "")
	}
	return nil
}

// values are the values that a flag or an argument may take.
func (l *line) values(ctx context.Context, v *kong.Value, last, before string) []string {
	if v.Enum != "" {
		return startingWith(slices.DeleteFunc(v.EnumSlice(), func(s string) bool { return s == "" }), last, before)
	}
	switch what := v.Tag.Get("complete"); what {
	case "":
	case "facts", "states", "profiles", "kits", "packs":
		return startingWith(lawWords(what), last, before)
	default:
		var words []string
		for _, list := range strings.Split(what, ",") {
			words = append(words, l.nodeWords(ctx, list)...)
		}
		return startingWith(words, last, before)
	}
	if v.Tag.Type == "path" || v.Tag.Type == "existingfile" || slices.Contains([]string{"FILE", "DATA", "DIR"}, v.Tag.PlaceHolder) || v.Flag == nil {
		return []string{":files"}
	}
	return nil
}

func startingWith(list []string, last, before string) []string {
	var out []string
	for _, s := range list {
		if strings.HasPrefix(s, last) {
			out = append(out, before+s)
		}
	}
	return out
}

// lawWords are names that the built-in law knows.
func lawWords(what string) []string {
	lib, err := loadPacks("")
	if err != nil {
		return nil
	}
	var out []string
	switch what {
	case "facts":
		for _, f := range lib.Vocabulary() {
			out = append(out, f.Name+"=\t"+f.Question.EN)
		}
	case "states", "packs":
		for _, p := range lib.Packs() {
			name := p.ID
			if what == "states" {
				name = p.Jurisdiction
			}
			out = append(out, name)
		}
	case "profiles":
		for _, p := range lib.Profiles() {
			out = append(out, p.Name+"\t"+p.Text.EN)
		}
	case "kits":
		kits, err := lib.Kits()
		if err != nil {
			return nil
		}
		for _, k := range kits {
			out = append(out, k.ID+"\t"+k.Title.EN)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// completionPatience bounds how long a shell waits for a node.
const completionPatience = 2 * time.Second

// nodeWords asks the node of the flags so far for its identifiers.
func (l *line) nodeWords(ctx context.Context, what string) []string {
	flags := nodeFlags{Dir: cmp.Or(l.given["dir"], os.Getenv("CORRIDOR_DIR"), "."), URL: cmp.Or(l.given["url"], os.Getenv("CORRIDOR_URL")), Token: cmp.Or(l.given["token"], os.Getenv("CORRIDOR_TOKEN_FILE"))}
	node, err := flags.client()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, completionPatience)
	defer cancel()
	if what == "peers" {
		return labelled(ctx, node, "/api/peers", func(p identity.Peer) string { return p.DID + "\t" + p.Jurisdiction + " " + p.Name })
	}
	return labelled(ctx, node, "/api/"+what, func(r struct{ ID, PID, State, Dataset, Obligation, Title string }) string {
		return r.ID + r.PID + "\t" + strings.TrimSpace(strings.Join([]string{r.State, r.Dataset, r.Obligation, r.Title}, " "))
	})
}

func labelled[T any](ctx context.Context, node *nodeClient, path string, label func(T) string) []string {
	items, err := allPages[T](ctx, node, path, nil)
	if err != nil {
		return nil
	}
	out := make([]string, len(items))
	for i, v := range items {
		out[i] = label(v)
	}
	return out
}
