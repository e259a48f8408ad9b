package conformance.edc;

import jakarta.ws.rs.GET;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.container.AsyncResponse;
import jakarta.ws.rs.container.ContainerRequestContext;
import jakarta.ws.rs.container.Suspended;
import jakarta.ws.rs.core.Context;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import jakarta.ws.rs.core.StreamingOutput;
import org.eclipse.edc.connector.dataplane.spi.Endpoint;
import org.eclipse.edc.connector.dataplane.spi.iam.DataPlaneAuthorizationService;
import org.eclipse.edc.connector.dataplane.spi.iam.PublicEndpointGeneratorService;
import org.eclipse.edc.connector.dataplane.spi.pipeline.PipelineService;
import org.eclipse.edc.connector.dataplane.util.sink.AsyncStreamingDataSink;
import org.eclipse.edc.runtime.metamodel.annotation.Inject;
import org.eclipse.edc.spi.EdcException;
import org.eclipse.edc.spi.security.Vault;
import org.eclipse.edc.spi.system.ServiceExtension;
import org.eclipse.edc.spi.system.ServiceExtensionContext;
import org.eclipse.edc.spi.types.domain.transfer.DataFlowStartMessage;
import org.eclipse.edc.spi.types.domain.transfer.FlowType;
import org.eclipse.edc.spi.types.domain.transfer.TransferType;
import org.eclipse.edc.web.spi.WebService;
import org.eclipse.edc.web.spi.configuration.PortMapping;
import org.eclipse.edc.web.spi.configuration.PortMappingRegistry;

import java.security.GeneralSecurityException;
import java.security.KeyPairGenerator;
import java.security.spec.ECGenParameterSpec;
import java.util.Base64;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * The HTTP door of EDC's data plane for pulls. EDC's own,
 * data-plane-public-api-v2, is in no repository that can be reached, so this
 * one joins the parts of the data plane that are: its authorization service
 * (which made the token and checks it) and its pipeline (which reads the
 * source and streams it).
 */
public class PublicEndpoint implements ServiceExtension {
    private static final String CONTEXT = "public";

    @Inject
    private PortMappingRegistry ports;
    @Inject
    private WebService web;
    @Inject
    private PipelineService pipeline;
    @Inject
    private DataPlaneAuthorizationService authorization;
    @Inject
    private PublicEndpointGeneratorService addresses;
    @Inject
    private Vault vault;

    private final ExecutorService streams = Executors.newCachedThreadPool();

    @Override
    public String name() {
        return "Public endpoint of the data plane";
    }

    @Override
    public void initialize(ServiceExtensionContext context) {
        makeKeys(context.getConfig().getString("edc.transfer.proxy.token.signer.privatekey.alias"),
                context.getConfig().getString("edc.transfer.proxy.token.verifier.publickey.alias"));
        var port = context.getConfig().getInteger("web.http.public.port");
        var path = context.getConfig().getString("web.http.public.path");
        ports.register(new PortMapping(CONTEXT, port, path));
        web.registerResource(CONTEXT, new Door());
        var address = Endpoint.url("http://127.0.0.1:" + port + path);
        addresses.addGeneratorFunction("HttpData", source -> address);
    }

    /** The data plane signs its tokens; each run has a key of its own. */
    private void makeKeys(String privateAlias, String publicAlias) {
        try {
            var generator = KeyPairGenerator.getInstance("EC");
            generator.initialize(new ECGenParameterSpec("secp256r1"));
            var pair = generator.generateKeyPair();
            vault.storeSecret(privateAlias, pem("PRIVATE KEY", pair.getPrivate().getEncoded()));
            vault.storeSecret(publicAlias, pem("PUBLIC KEY", pair.getPublic().getEncoded()));
        } catch (GeneralSecurityException e) {
            throw new EdcException(e);
        }
    }

    private static String pem(String kind, byte[] der) {
        return "-----BEGIN " + kind + "-----\n" + Base64.getMimeEncoder(64, new byte[]{'\n'}).encodeToString(der) + "\n-----END " + kind + "-----\n";
    }

    @Override
    public void shutdown() {
        streams.shutdownNow();
    }

    @Path("/")
    public class Door {
        @GET
        public void get(@Context ContainerRequestContext request, @Suspended AsyncResponse response) {
            var token = request.getHeaderString("Authorization");
            if (token == null) {
                response.resume(Response.status(Response.Status.UNAUTHORIZED).build());
                return;
            }
            if (token.startsWith("Bearer ")) {
                token = token.substring("Bearer ".length());
            }
            var source = authorization.authorize(token, Map.of());
            if (source.failed()) {
                response.resume(Response.status(Response.Status.FORBIDDEN).entity(source.getFailureDetail()).type(MediaType.TEXT_PLAIN).build());
                return;
            }
            var start = DataFlowStartMessage.Builder.newInstance()
                    .id(UUID.randomUUID().toString())
                    .processId(UUID.randomUUID().toString())
                    .sourceDataAddress(source.getContent())
                    .transferType(new TransferType("HttpData", FlowType.PULL))
                    .build();
            var sink = new AsyncStreamingDataSink(write -> response.resume(Response.ok((StreamingOutput) out -> {
                write.outputStreamConsumer().accept(out);
            }).type(write.mediaType()).build()), streams);
            pipeline.transfer(start, sink).whenComplete((done, thrown) -> {
                if (thrown != null) {
                    response.resume(Response.serverError().build());
                } else if (done.failed()) {
                    response.resume(Response.status(Response.Status.BAD_GATEWAY).entity(done.getFailureDetail()).type(MediaType.TEXT_PLAIN).build());
                }
            });
        }
    }
}
