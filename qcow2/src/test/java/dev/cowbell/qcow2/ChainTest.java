package dev.cowbell.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowbell.qcow2.format.CryptMethod;
import dev.cowbell.qcow2.format.Feature;
import dev.cowbell.qcow2.format.FeatureBits;
import dev.cowbell.qcow2.format.HeaderBuilder;
import dev.cowbell.qcow2.format.L2Entry;
import dev.cowbell.qcow2.io.HostFile;
import dev.cowbell.qcow2.io.MemoryHostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.NoSuchFileException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ChainTest {
  private static final int CLUSTER = 4096;

  /** The files there are, by path. */
  private final Map<String, HostFile> files = new HashMap<>();

  private final List<String> opened = new ArrayList<>();
  private final OpenOptions following = OpenOptions.strict().withReferences(this::open);

  private HostFile open(FileReference reference) throws IOException {
    String path = reference.path().normalize().toString();
    opened.add(path);
    HostFile file = files.get(path);
    if (file == null) {
      throw new NoSuchFileException(path);
    }
    return file;
  }

  private TestImage image(String path) {
    TestImage image = new TestImage(path, new HeaderBuilder().clusterBits(12).size(8 * CLUSTER));
    files.put(path, image.file());
    return image;
  }

  private Qcow2Image open(TestImage image) throws IOException {
    return Qcow2Image.adopt(image.file(), following);
  }

  private void rejects(TestImage image, Class<? extends ImageException> kind, String message) {
    assertThatThrownBy(() -> open(image)).isInstanceOf(kind).hasMessageContaining(message);
  }

  private static int first(GuestDisk disk, long at) throws IOException {
    ByteBuffer one = ByteBuffer.allocate(1);
    disk.read(at, one);
    return one.get(0);
  }

  @Test
  void each_layer_resolves_its_names_from_its_own_folder() throws Exception {
    TestImage lowest = image("/disks/old/base/lowest.qcow2");
    lowest.entry(0, L2Entry.data(lowest.storeFilled(1), true));
    image("/disks/old/middle.qcow2").backing("base/lowest.qcow2", "qcow2");
    TestImage top = image("/disks/top.qcow2").backing("old/middle.qcow2", "qcow2");
    try (Qcow2Image disk = open(top)) {
      assertThat(first(disk, 0)).isEqualTo(1);
      assertThat(first(disk, CLUSTER)).isZero();
    }
  }

  @Test
  void behind_the_end_of_a_short_layer_nothing_of_the_next_one_shows() throws Exception {
    byte[] ones = new byte[8 * CLUSTER];
    Arrays.fill(ones, (byte) 1);
    files.put("/lowest.raw", new MemoryHostFile("/lowest.raw", ones));
    TestImage middle =
        new TestImage("/middle.qcow2", new HeaderBuilder().clusterBits(12).size(CLUSTER + 512));
    files.put("/middle.qcow2", middle.backing("lowest.raw", "raw").file());
    TestImage top = image("/top.qcow2").backing("middle.qcow2", "qcow2");
    try (Qcow2Image disk = open(top)) {
      ByteBuffer all = ByteBuffer.allocate(8 * CLUSTER);
      disk.read(0, all);
      for (int i = 0; i < 8 * CLUSTER; i++) {
        assertThat(all.get(i)).isEqualTo((byte) (i < CLUSTER + 512 ? 1 : 0));
      }
      assertThat(disk.extents(0, 8 * CLUSTER))
          .containsExactly(
              new Extent(0, CLUSTER + 512, Extent.Status.DATA),
              new Extent(CLUSTER + 512, 7 * CLUSTER - 512, Extent.Status.UNALLOCATED));
    }
  }

  @Test
  void a_loop_is_refused() {
    image("/a.qcow2").backing("b.qcow2", "qcow2");
    image("/b.qcow2").backing("c.qcow2", "qcow2");
    rejects(image("/c.qcow2").backing("./a.qcow2", "qcow2"), ReferenceException.class, "is a loop");
    rejects(image("/self.qcow2").backing("self.qcow2", "qcow2"), ReferenceException.class, "loop");
    rejects(image("/raw.qcow2").backing("raw.qcow2", "raw"), ReferenceException.class, "loop");
  }

  @Test
  void a_chain_of_more_than_200_layers_is_refused() throws Exception {
    TestImage top = image("/0.qcow2");
    for (int i = 1; i < 200; i++) {
      top = image("/" + i + ".qcow2").backing((i - 1) + ".qcow2", "qcow2");
    }
    assertThat(first(open(top), 0)).isZero();
    rejects(
        image("/200.qcow2").backing("199.qcow2", "qcow2"),
        ReferenceException.class,
        "more than 200 layers");
  }

  @Test
  void nothing_is_opened_unless_it_is_granted() throws Exception {
    TestImage top = image("/top.qcow2").backing("/etc/passwd", "raw");
    assertThatThrownBy(() -> Qcow2Image.adopt(top.file(), OpenOptions.strict()))
        .isInstanceOf(ReferenceException.class)
        .hasMessage(
            "/top.qcow2: refers to the backing file '/etc/passwd',"
                + " and following references was not allowed");
    assertThat(opened).isEmpty();
  }

  @Test
  void a_format_that_is_not_stated_is_never_guessed() throws Exception {
    TestImage base = image("/base");
    base.entry(0, L2Entry.data(base.storeFilled(5), true));
    TestImage top = image("/top.qcow2").backing("base", "");
    rejects(top, ReferenceException.class, "the format of the backing file 'base' is not stated");
    assertThat(opened).isEmpty();
    OpenOptions raw = following.withBackingFormat(new BackingFormat.Assumed("raw"));
    try (Qcow2Image disk = Qcow2Image.adopt(top.file(), raw)) {
      assertThat(first(disk, 0)).isEqualTo('Q');
    }
    OpenOptions probing = following.withBackingFormat(new BackingFormat.Probed());
    try (Qcow2Image disk = Qcow2Image.adopt(top.file(), probing)) {
      assertThat(first(disk, 0)).isEqualTo(5);
    }
  }

  @Test
  void a_stated_format_is_believed() throws Exception {
    image("/base");
    try (Qcow2Image disk = open(image("/top.qcow2").backing("base", "raw"))) {
      assertThat(first(disk, 0)).isEqualTo('Q');
    }
    rejects(
        image("/vmdk.qcow2").backing("base", "vmdk"),
        UnsupportedFeatureException.class,
        "its format is said to be 'vmdk'");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "json:{\"driver\":\"qcow2\",\"file\":{\"driver\":\"file\",\"filename\":\"/base\"}}",
        "json:{\"driver\":\"qcow2\",\"file.driver\":\"file\",\"file.filename\":\"/base\"}",
        "json:{\"file\":{\"filename\":\"/base\"},\"driver\":\"qcow2\",\"read-only\":true}",
        "json:{\"driver\":\"qcow2\",\"backing\":null,\"file\":{\"driver\":\"file\","
            + "\"filename\":\"/base\",\"aio\":\"native\"}}"
      })
  void json_names_are_followed(String name) throws Exception {
    TestImage base = image("/base");
    base.entry(0, L2Entry.data(base.storeFilled(5), true));
    if (name.contains("null")) {
      base.backing("missing", "qcow2");
    }
    try (Qcow2Image disk = open(image("/top.qcow2").backing(name, ""))) {
      assertThat(first(disk, 0)).isEqualTo(5);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "nbd://host/disk",
        "http://host/disk",
        "json:",
        "json:{",
        "json:[]",
        "json:{} {}",
        "json:{\"driver\":\"qcow2\"}",
        "json:{\"driver\":\"qcow2\",\"file\":\"node\"}",
        "json:{\"driver\":\"qcow2\",\"file\":{\"driver\":\"nbd\",\"filename\":\"x\"}}",
        "json:{\"driver\":\"raw\",\"offset\":512,\"file.filename\":\"/base\"}",
        "json:{\"driver\":\"qcow2\",\"backing\":\"x\",\"file.filename\":\"/base\"}",
        "json:{\"driver\":\"qcow2\",\"file\":{\"file\":{\"filename\":\"/base\"}}}",
        "json:{\"driver\":[\"qcow2\"]}",
        "json:{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":"
            + "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}}}}}}}}}}}}}}}"
      })
  void names_of_anything_but_a_local_file_are_refused(String name) {
    image("/base");
    rejects(
        image("/top.qcow2").backing(name, "qcow2"),
        ReferenceException.class,
        "/top.qcow2: refers to");
    assertThat(opened).isEmpty();
  }

  @Test
  void names_behind_a_prefix_start_from_the_working_directory() throws Exception {
    files.put("sub/base.raw", new MemoryHostFile("sub/base.raw", new byte[] {9}));
    open(image("/far/a.qcow2").backing("file:sub/base.raw", "raw")).close();
    open(image("/far/b.qcow2")
            .backing("json:{\"driver\":\"raw\",\"file.filename\":\"sub/base.raw\"}", ""))
        .close();
    assertThat(opened).containsExactly("sub/base.raw", "sub/base.raw");
  }

  @Test
  void a_missing_backing_file_is_named_with_the_image_that_wants_it() {
    rejects(
        image("/disks/top.qcow2").backing("gone.raw", "raw"),
        ReferenceException.class,
        "/disks/top.qcow2: the backing file 'gone.raw' can't be opened: there is no file /disks/gone.raw");
  }

  @Test
  void damage_is_reported_for_the_layer_that_has_it() throws Exception {
    TestImage base = image("/base.qcow2").entry(0, L2Entry.data(512, true));
    try (Qcow2Image disk = open(image("/top.qcow2").backing("base.qcow2", "qcow2"))) {
      assertThatThrownBy(() -> first(disk, 0))
          .isInstanceOf(CorruptImageException.class)
          .hasMessageStartingWith("/base.qcow2: the L2 entry");
      assertThat(first(disk, CLUSTER)).isZero();
    }
    base.file().write(0, ByteBuffer.allocate(4));
    rejects(
        image("/other.qcow2").backing("base.qcow2", "qcow2"),
        CorruptImageException.class,
        "/base.qcow2: not a qcow2 image");
  }

  @Test
  void a_layer_by_itself_shows_what_it_has_and_refuses_the_rest() throws Exception {
    TestImage top = image("/top.qcow2").backing("gone.qcow2", "qcow2");
    top.entry(CLUSTER, L2Entry.data(top.storeFilled(3), true));
    OpenOptions layer = OpenOptions.strict().withScope(OpenOptions.Scope.LAYER);
    try (Qcow2Image disk = Qcow2Image.adopt(top.file(), layer)) {
      assertThat(first(disk, CLUSTER)).isEqualTo(3);
      assertThatThrownBy(() -> first(disk, 0))
          .isInstanceOf(ReferenceException.class)
          .hasMessageContaining("guest offset 0 is in the backing file");
      assertThat(disk.extents(0, 8 * CLUSTER)).hasSize(3);
      assertThat(disk.backing()).isEmpty();
    }
  }

  @Test
  void an_encrypted_image_is_refused_but_shows_its_metadata() throws Exception {
    TestImage image =
        new TestImage(
            "/secret.qcow2", new HeaderBuilder().cryptMethod(CryptMethod.LUKS).size(1 << 20));
    assertThatThrownBy(image::open)
        .isInstanceOf(EncryptedImageException.class)
        .hasMessageContaining("/secret.qcow2: the image is encrypted (LUKS)");
    OpenOptions metadata = OpenOptions.strict().withScope(OpenOptions.Scope.METADATA);
    try (Qcow2Image opened = Qcow2Image.adopt(image.file(), metadata)) {
      assertThat(opened.head().header().cryptMethod()).isEqualTo(CryptMethod.LUKS);
    }
  }

  @Test
  void dirty_and_corrupt_images_can_be_read() throws Exception {
    FeatureBits bits = FeatureBits.NONE.with(Feature.DIRTY).with(Feature.CORRUPT);
    TestImage image = new TestImage("/d.qcow2", new HeaderBuilder().features(bits).size(1 << 20));
    try (Qcow2Image disk = image.open()) {
      assertThat(first(disk, 0)).isZero();
    }
  }

  @Test
  void a_data_file_that_is_not_named_is_an_error() {
    TestImage image =
        new TestImage(
            "/d.qcow2",
            new HeaderBuilder()
                .features(FeatureBits.NONE.with(Feature.EXTERNAL_DATA_FILE))
                .size(1 << 20));
    assertThatThrownBy(image::open)
        .isInstanceOf(CorruptImageException.class)
        .hasMessageContaining("its name is missing");
  }

  @Test
  void reading_outside_the_disk_is_the_callers_mistake() throws Exception {
    try (Qcow2Image disk = open(image("/a.qcow2"))) {
      for (long at : new long[] {-1, 8 * CLUSTER, Long.MAX_VALUE}) {
        assertThatThrownBy(() -> first(disk, at)).isInstanceOf(IndexOutOfBoundsException.class);
      }
      disk.read(8 * CLUSTER, ByteBuffer.allocate(0));
    }
  }
}
