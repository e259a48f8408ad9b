// Command corridor is the gateway that an organisation runs at its country's
// edge: it answers whether a flow of data is lawful on both sides, carries the
// flow out over open protocols with its conditions enforced, and leaves
// evidence that anyone can check offline. One file here per command.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"corridor"
)

// app is what a command gets from its surroundings; nothing else is global.
type app struct {
	ctx    context.Context
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	lang   string       // that the person who asked reads: en, zh or ru
	speaks *interpreter // made when it is needed
}

// cli is the table of contents: one line per command.
type cli struct {
	Check        checkCmd        `cmd:"" help:"Ask the law of both sides whether a transfer may go ahead, and why."`
	Replay       replayCmd       `cmd:"" help:"Decide once more what a file decided, and compare bit for bit."`
	Kit          kitCmd          `cmd:"" help:"List, show and fill the filings that authorities ask for."`
	Matrix       matrixCmd       `cmd:"" help:"Decide one flow from every exporter to every importer."`
	Advise       adviseCmd       `cmd:"" help:"Find the cheapest lawful ways for a transfer that the law does not let go."`
	Packs        packsCmd        `cmd:"" help:"Lint, test, list and show rule packs."`
	Scan         scanCmd         `cmd:"" help:"Look into a file: which columns hold what, how many people, which facts follow."`
	Demo         demoCmd         `cmd:"" help:"Show one real exchange from China to Kazakhstan, on this machine."`
	Serve        serveCmd        `cmd:"" help:"Run a node."`
	Init         initCmd         `cmd:"" help:"Make a node: directory, configuration, keys, database."`
	Peers        peersCmd        `cmd:"" help:"Edit and show the participants that a node knows."`
	Credentials  credentialsCmd  `cmd:"" help:"Show, ask for, and take back verifiable credentials."`
	Keys         keysCmd         `cmd:"" help:"Show and change the keys of a node."`
	Compacts     compactsCmd     `cmd:"" help:"Adopt and list compacts between authorities; hand in orders."`
	Authority    authorityCmd    `cmd:"" help:"Act as the authority of a country: compacts, admissions, suspensions."`
	Status       statusCmd       `cmd:"" help:"Ask a running node how it is."`
	Counters     countersCmd     `cmd:"" help:"Show how many people's data a node has let go this year, and the next threshold of its law."`
	Publish      publishCmd      `cmd:"" help:"Put a file into this node's catalogue."`
	Append       appendCmd       `cmd:"" help:"Add a file to a dataset of this node that grows."`
	Withdraw     withdrawCmd     `cmd:"" help:"Take a dataset out of this node's catalogue."`
	Catalog      catalogCmd      `cmd:"" help:"Show what a peer offers."`
	Find         findCmd         `cmd:"" help:"Search the catalogues of all known peers."`
	Negotiate    negotiateCmd    `cmd:"" help:"Ask a peer for an agreement on a dataset."`
	Negotiations negotiationsCmd `cmd:"" help:"List negotiations, and on whom each waits."`
	Approvals    approvalsCmd    `cmd:"" help:"Ask an authority, or the own officer, for a signed approval; hand in the answer."`
	Approve      approveCmd      `cmd:"" help:"Approve a negotiation that waits for a person."`
	Reject       rejectCmd       `cmd:"" help:"Reject a negotiation that waits for a person."`
	Answer       answerCmd       `cmd:"" help:"Answer the peer of a negotiation by hand: offer, counter, accept, agree, verify, finalize."`
	Offer        offerCmd        `cmd:"" help:"Offer a dataset to a consumer that has not asked."`
	Adopt        adoptCmd        `cmd:"" help:"Take in an agreement with a plain peer that was made elsewhere."`
	Agreements   agreementsCmd   `cmd:"" help:"List agreements."`
	Impact       impactCmd       `cmd:"" help:"Say what a new edition of the law means for a node's agreements and running transfers."`
	Tasks        tasksCmd        `cmd:"" help:"Keep what the law leaves to people: duties, deadlines, evidence."`
	Transfer     transferCmd     `cmd:"" help:"Fetch the data of an agreement."`
	Transfers    transfersCmd    `cmd:"" help:"List transfers."`
	Suspend      suspendCmd      `cmd:"" help:"Stop a transfer until it is resumed."`
	Resume       resumeCmd       `cmd:"" help:"Let a suspended transfer go on."`
	Start        startCmd        `cmd:"" help:"Start a transfer that waits for a person."`
	Finish       finishCmd       `cmd:"" help:"End a transfer as complete, where the data went another way."`
	Terminate    terminateCmd    `cmd:"" help:"End a transfer or a negotiation for good."`
	Bundle       bundleCmd       `cmd:"" help:"Write the proof of an agreement to one file."`
	Proof        proofCmd        `cmd:"" help:"Write one entry of a node's log and its proof to files, also as a COSE receipt."`
	Evidence     evidenceCmd     `cmd:"" help:"List, export and answer evidence that a peer's log has signed two histories."`
	Verify       verifyCmd       `cmd:"" help:"Check a bundle, with no network."`
	Witness      witnessCmd      `cmd:"" help:"Run a witness for other people's logs."`
	Signer       signerCmd       `cmd:"" help:"Sign for a node with a key that a module holds."`

	Completion completionCmd `cmd:"" help:"Print what bash, zsh or fish needs to complete these commands."`
	Complete   completeCmd   `cmd:"" hidden:"" help:"Complete a line; called by those scripts."`
	Version    versionCmd    `cmd:"" help:"Print the version and what this build contains."`

	Kits conformanceCommands `embed:""` // none, except in a program built with the tag conformance
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends at once what does not listen, such as waiting for a pipe
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main without the process: tests call it with their own streams.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	stdout, stderr = onScreen(stdout), onScreen(stderr)
	a := &app{ctx: ctx, stdin: stdin, stdout: stdout, stderr: stderr}
	asks := langAsked(args)
	if err := asks.check(); err != nil {
		fmt.Fprintln(stderr, "corridor:", err)
		return exitUsage
	}
	args = asks.args
	var c cli
	var sheet *helpSheet
	exited := -1
	parser, err := kong.New(&c,
		kong.Name("corridor"),
		kong.Description("Lawful, enforced and provable data exchange across borders. Corridor informs; it does not give legal advice."),
		kong.UsageOnError(),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exited = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, ValueFormatter: func(v *kong.Value) string { return sheet.value(v) }}),
		kong.Help(func(options kong.HelpOptions, ctx *kong.Context) error { return sheet.print(options, ctx) }),
	)
	if err != nil {
		fmt.Fprintln(stderr, "corridor: command table:", err)
		return exitInternal
	}
	sheet = newHelpSheet(parser.Model, asks)
	if len(args) == 0 {
		args = []string{"--help"}
	}
	kctx, err := parser.Parse(args)
	if exited >= 0 { // --help
		return exited
	}
	if err != nil {
		fmt.Fprint(stderr, sheet.misread(err))
		return exitUsage
	}
	a.lang = langOf(kctx)
	return a.report(kctx.Run(a, kctx.Model))
}

// langOf is the language in which a command is to answer; one that has no flag
// for it answers in English.
func langOf(kctx *kong.Context) string {
	for _, f := range kctx.Flags() {
		if lang, ok := kctx.FlagValue(f).(string); ok && f.Name == "lang" {
			return lang
		}
	}
	return "en"
}

// Exit codes of every command. check adds its own meaning to 3, 4 and 5.
const (
	exitOK           = 0
	exitFailed       = 1 // the thing was done and the answer is no, or it could not be done
	exitUsage        = 2 // bad input
	exitApproval     = 3
	exitDeny         = 4
	exitUndetermined = 5
	exitInternal     = 1
)

// exit is an error that carries a code and has already been explained.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit %d", int(e)) }

// report prints an error once, for a person, and picks the exit code.
func (a *app) report(err error) int {
	if err == nil {
		return exitOK
	}
	var code exit
	if errors.As(err, &code) {
		return int(code)
	}
	fmt.Fprintln(a.stderr, "corridor:", a.explain(err))
	switch corridor.KindOf(err) {
	case corridor.Invalid, corridor.Limited: // what is too large is bad input too
		return exitUsage
	case corridor.ApprovalNeeded:
		return exitApproval
	case corridor.RefusedByLaw:
		return exitDeny
	}
	return exitFailed
}
