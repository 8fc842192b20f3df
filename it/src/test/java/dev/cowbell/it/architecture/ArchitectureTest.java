package dev.cowbell.it.architecture;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.conditions.ArchPredicates.are;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaMember;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.ArchRule;
import dev.cowbell.qcow2.io.HostFile;
import java.time.Clock;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.ZonedDateTime;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

final class ArchitectureTest {

  private static final JavaClasses COWBELL =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .withImportOption(location -> !location.contains("-tests.jar"))
          .importPackages("dev.cowbell");

  private static final String[] MODULES = {
    "dev.cowbell.bitmaps..", "dev.cowbell.qcow2..", "dev.cowbell.storage..", "dev.cowbell.agent.."
  };

  @Test
  void every_module_is_looked_at() {
    for (String module : MODULES) {
      assertThat(COWBELL.that(resideInAPackage(module))).as(module).hasSizeGreaterThan(3);
    }
  }

  @Test
  void bitmaps_know_nothing_of_ours() {
    mayUseOfOurs("dev.cowbell.bitmaps..", List.of());
  }

  @Test
  void storage_targets_know_nothing_of_ours() {
    mayUseOfOurs("dev.cowbell.storage..", List.of());
  }

  @Test
  void qcow2_knows_only_bitmaps() {
    mayUseOfOurs("dev.cowbell.qcow2..", List.of("dev.cowbell.bitmaps.."));
  }

  @Test
  void every_class_lives_in_a_room_of_a_module() {
    classes().should().resideInAnyPackage(MODULES).check(COWBELL);
  }

  @Test
  void rooms_do_not_depend_on_each_other_in_circles() {
    for (String module : List.of("bitmaps", "qcow2", "storage", "agent")) {
      slices()
          .matching("dev.cowbell." + module + ".(*)..")
          .should()
          .beFreeOfCycles()
          .allowEmptyShould(true)
          .check(COWBELL);
    }
  }

  @Test
  void commands_are_the_only_callers_of_the_command_line_library() {
    noClasses()
        .that(are(not(resideInAPackage("dev.cowbell.agent.cli.."))))
        .should()
        .dependOnClassesThat()
        .resideInAPackage("picocli..")
        .check(COWBELL);
  }

  @Test
  void time_comes_from_an_injected_clock() {
    ArchRule rule =
        noClasses()
            .that(are(not(resideInAPackage("dev.cowbell.agent.cli.."))))
            .should()
            .callMethod(Instant.class, "now")
            .orShould()
            .callMethod(LocalDate.class, "now")
            .orShould()
            .callMethod(LocalDateTime.class, "now")
            .orShould()
            .callMethod(ZonedDateTime.class, "now")
            .orShould()
            .callMethod(System.class, "currentTimeMillis")
            .orShould()
            .callMethod(Clock.class, "systemUTC")
            .orShould()
            .callMethod(Clock.class, "systemDefaultZone")
            .because("the time of day is handed in, so that tests decide what it is");
    rule.check(COWBELL);
  }

  @Test
  void public_types_of_the_library_do_not_leak_third_party_types() {
    noClasses()
        .that(
            are(
                describe(
                    "public interfaces of the seams",
                    c ->
                        c.isInterface()
                            && c.getModifiers()
                                .contains(com.tngtech.archunit.core.domain.JavaModifier.PUBLIC)
                            && resideInAnyPackage(
                                    "dev.cowbell.qcow2",
                                    "dev.cowbell.storage",
                                    "dev.cowbell.bitmaps")
                                .test(c))))
        .should()
        .dependOnClassesThat()
        .resideOutsideOfPackages("java..", "dev.cowbell..", "org.jspecify..")
        .check(COWBELL);
  }

  /** But for one that says what two others do, a default says that the file can't do something. */
  @Test
  void a_file_over_another_leaves_out_nothing_that_the_other_can_do() {
    JavaClass file = COWBELL.get(HostFile.class);
    Set<String> abilities =
        file.getMethods().stream()
            .filter(method -> !method.getModifiers().contains(JavaModifier.ABSTRACT))
            .map(JavaMember::getName)
            .filter(name -> !name.equals("readPadded"))
            .collect(Collectors.toSet());
    List<JavaClass> wrappers =
        COWBELL.stream()
            .filter(type -> type.isAssignableTo(HostFile.class))
            .filter(type ->
                type.getAllFields().stream()
                    .anyMatch(field -> field.getRawType().isAssignableTo(HostFile.class)))
            .toList();
    assertThat(abilities).contains("allocate", "nextHole", "storedBytes");
    assertThat(wrappers).extracting(JavaClass::getSimpleName).contains("BarrierFile");
    for (JavaClass wrapper : wrappers) {
      Set<String> missing = new TreeSet<>(abilities);
      wrapper.getAllMethods().stream()
          .filter(method -> !method.getOwner().equals(file))
          .forEach(method -> missing.remove(method.getName()));
      assertThat(missing).as(wrapper.getName()).isEmpty();
    }
  }

  private static void mayUseOfOurs(String module, List<String> others) {
    String[] allowed = new String[others.size() + 1];
    allowed[0] = module;
    for (int i = 0; i < others.size(); i++) {
      allowed[i + 1] = others.get(i);
    }
    noClasses()
        .that()
        .resideInAPackage(module)
        .should()
        .dependOnClassesThat(
            resideInAPackage("dev.cowbell..").and(not(resideInAnyPackage(allowed))))
        .check(COWBELL);
  }
}
