package dev.cowbell.storage;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * A proxy on loopback that breaks what passes through it, at the request it is told to. It speaks
 * TCP; that a request begins it knows from the client talking again after the server has.
 */
public final class FaultProxy implements AutoCloseable {

  /** What happens to one request. */
  public sealed interface Fault {

    /** The connection is reset before a byte of the request gets through. */
    record Refuse() implements Fault {}

    /** The connection is reset when so many bytes of the request are through. */
    record CutRequest(long afterBytes) implements Fault {}

    /** The connection is reset when so many bytes of the answer are through; the work is done. */
    record CutAnswer(long afterBytes) implements Fault {}

    /** No more of the request is taken after so many bytes, and nothing is said. */
    record StallRequest(long afterBytes) implements Fault {}

    /** Nothing more comes after so many bytes of the answer. */
    record StallAnswer(long afterBytes) implements Fault {}

    /** The proxy answers in the server's place. */
    record Answer(String status, String body) implements Fault {}

    Fault LOSE_ANSWER = new CutAnswer(0);
    Fault SLOW_DOWN =
        new Answer(
            "503 Slow Down",
            "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code>"
                + "<Message>Please reduce your request rate.</Message></Error>");
    Fault GARBAGE = new Answer("200 OK", "<html><body>Please log in</body></html>");
  }

  private record Plan(int first, int times, Fault fault) {}

  private final ServerSocket server;
  private final InetSocketAddress target;
  private final AtomicInteger requests = new AtomicInteger();
  private final Set<Socket> open = ConcurrentHashMap.newKeySet();
  private volatile @Nullable Plan plan;
  private volatile long bytesPerSecond = Long.MAX_VALUE;

  public FaultProxy(InetSocketAddress target) throws IOException {
    this.target = target;
    this.server = new ServerSocket();
    // Small, so that a peer which stops reading is felt soon.
    server.setReceiveBufferSize(64 << 10);
    server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 200);
    Thread.ofVirtual().start(this::accept);
  }

  public URI endpoint() {
    return URI.create("http://127.0.0.1:" + server.getLocalPort());
  }

  /** How many requests have come since the last {@link #breakRequests} or {@link #heal}. */
  public int requests() {
    return requests.get();
  }

  /**
   * Breaks requests from now on.
   *
   * @param first the first one to break; the next one is number 0
   * @param times how many in a row
   */
  public void breakRequests(int first, int times, Fault fault) {
    plan = new Plan(first, times, fault);
    requests.set(0);
  }

  /** Lets everything through, and begins to count again. */
  public void heal() {
    plan = null;
    requests.set(0);
  }

  /** Slows each connection down, either way. */
  public void throttle(long bytesPerSecond) {
    this.bytesPerSecond = bytesPerSecond;
  }

  private void accept() {
    while (!server.isClosed()) {
      try {
        Socket client = server.accept();
        Thread.ofVirtual().start(() -> new Connection(client).serve());
      } catch (IOException e) {
        return;
      }
    }
  }

  @Override
  public void close() throws IOException {
    server.close();
    for (Socket socket : open) {
      socket.close();
    }
  }

  private @Nullable Fault next() {
    int number = requests.getAndIncrement();
    Plan now = plan;
    return now != null && number >= now.first && number - now.first < now.times ? now.fault : null;
  }

  /** One client's connection: requests and answers by turns. */
  private final class Connection {

    private final Socket client;
    private final Socket upstream = new Socket();
    private boolean answering = true;
    private @Nullable Fault fault;
    private long requestBytes;
    private long answerBytes;

    Connection(Socket client) {
      this.client = client;
    }

    void serve() {
      open.add(client);
      open.add(upstream);
      try (client;
          upstream) {
        client.setTcpNoDelay(true);
        upstream.connect(target, 5_000);
        upstream.setTcpNoDelay(true);
        Thread answers = Thread.ofVirtual().start(this::passAnswers);
        passRequests();
        answers.join();
      } catch (IOException | InterruptedException e) {
        // Broken connections are what this is for.
      } finally {
        open.remove(client);
        open.remove(upstream);
      }
    }

    private void passRequests() throws IOException, InterruptedException {
      byte[] bytes = new byte[16 << 10];
      InputStream in = client.getInputStream();
      OutputStream out = upstream.getOutputStream();
      for (int n; (n = in.read(bytes)) > 0; ) {
        Fault now = requestFault(n);
        switch (now) {
          case Fault.Refuse _ -> {
            reset();
            return;
          }
          case Fault.CutRequest(long after) when requestBytes > after -> {
            out.write(bytes, 0, (int) Math.max(0, n - (requestBytes - after)));
            out.flush();
            reset();
            return;
          }
          case Fault.StallRequest(long after) when requestBytes > after -> Thread.sleep(600_000);
          case Fault.Answer(String status, String body) -> {
            answer(status, body);
            in.transferTo(OutputStream.nullOutputStream());
            return;
          }
          case null, default -> pass(bytes, n, out);
        }
      }
      upstream.shutdownOutput();
    }

    private synchronized @Nullable Fault requestFault(int n) {
      if (answering) {
        answering = false;
        fault = next();
        requestBytes = 0;
        answerBytes = 0;
      }
      requestBytes += n;
      return fault;
    }

    private synchronized @Nullable Fault answerFault(int n) {
      answering = true;
      answerBytes += n;
      return fault;
    }

    private void passAnswers() {
      byte[] bytes = new byte[16 << 10];
      try {
        InputStream in = upstream.getInputStream();
        OutputStream out = client.getOutputStream();
        for (int n; (n = in.read(bytes)) > 0; ) {
          Fault now = answerFault(n);
          switch (now) {
            case Fault.CutAnswer(long after) when answerBytes > after -> {
              out.write(bytes, 0, (int) Math.max(0, n - (answerBytes - after)));
              out.flush();
              reset();
              return;
            }
            case Fault.StallAnswer(long after) when answerBytes > after -> Thread.sleep(600_000);
            case null, default -> pass(bytes, n, out);
          }
        }
        client.shutdownOutput();
      } catch (IOException | InterruptedException e) {
        // As above.
      }
    }

    private void pass(byte[] bytes, int n, OutputStream out)
        throws IOException, InterruptedException {
      long rate = bytesPerSecond;
      if (rate < Long.MAX_VALUE) {
        Thread.sleep(Math.max(1, n * 1000L / rate));
      }
      out.write(bytes, 0, n);
      out.flush();
    }

    private void answer(String status, String body) throws IOException {
      String answer =
          "HTTP/1.1 %s\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
              .formatted(status, body.length(), body);
      client.getOutputStream().write(answer.getBytes(StandardCharsets.US_ASCII));
      client.shutdownOutput();
    }

    /** Ends the connection with an RST on both sides. */
    private void reset() throws IOException {
      client.setSoLinger(true, 0);
      client.close();
      upstream.setSoLinger(true, 0);
      upstream.close();
    }
  }
}
